"""The demonstration's plan: every step is an ordinary command."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

import report

BILM_CONFIG = "training_configs/bilm_tiny.jsonnet"
TAGGER_CONFIGS = {"baseline": "training_configs/ner_baseline.jsonnet", "elmo": "training_configs/ner_with_elmo.jsonnet"}
SENTENCES = "demo/sentences.jsonl"
_ELMO = "model.text_field_embedder.token_embedders.elmo"


@dataclass(frozen=True)
class Step:
    """
    # Parameters

    title : `str`
    command : `List[str]`
        What is run, in the project's root.
    show : `Callable[[], str]`, optional
        Reads what the command wrote, and says it in a few lines.
    """

    title: str
    command: List[str]
    show: Optional[Callable[[], str]] = None


def plan(folder: Path, python: str, allennlp: List[str]) -> List[Step]:
    """
    # Parameters

    folder : `Path`
        Everything is written below it.
    python : `str`
        The interpreter's command.
    allennlp : `List[str]`
        The command that is `allennlp` with the plugin loaded.
    """
    text, corpus = folder / "text", folder / "corpus"
    return [
        Step("Gather English text from the installed documentation", [python, "demo/gather_text.py", str(text)]),
        Step(
            "Prepare it: sentences, tokens, vocabulary, held-out text",
            [*allennlp, "elmo-prepare", str(text), str(corpus), "--held-out", "0.05", "--min-count", "2"],
        ),
        *_language_model(folder, corpus, allennlp),
        *_taggers(folder, allennlp),
    ]


def _language_model(folder: Path, corpus: Path, allennlp: List[str]) -> List[Step]:
    held_out = str(corpus / "heldout" / "*.txt")
    data = {
        "train_data_path": str(corpus / "train" / "*.txt"),
        "validation_data_path": held_out,
        "vocabulary.file": str(corpus / "vocabulary.txt"),
    }
    # The same model with the same seed, saved before it learned anything: a learning rate of zero changes no weight.
    once = {"train_data_path": held_out, "validation_data_path": None, "trainer.num_epochs": 1}
    untrained = {**data, **once, "trainer.optimizer.lr": 0.0}
    before, after = folder / "untrained", folder / "bilm"
    return [
        Step("Save the biLM untrained", _train(allennlp, BILM_CONFIG, before, untrained)),
        Step(
            "Perplexity of held-out text before training",
            *_evaluate(allennlp, before, held_out, folder / "before.json"),
        ),
        Step("Train the biLM", _train(allennlp, BILM_CONFIG, after, data)),
        Step(
            "Perplexity of held-out text after training",
            *_evaluate(allennlp, after, held_out, folder / "after.json"),
        ),
        Step(
            "Export options, weights and vocabulary",
            [*allennlp, "elmo-export", str(after / "model.tar.gz"), str(folder / "elmo")],
            lambda: report.files(folder / "elmo"),
        ),
    ]


def _evaluate(allennlp: List[str], model: Path, data: str, output: Path) -> "tuple[List[str], Callable[[], str]]":
    command = [*allennlp, "evaluate", str(model / "model.tar.gz"), data, "--output-file", str(output)]
    return command, lambda: report.perplexities(output)


def _taggers(folder: Path, allennlp: List[str]) -> List[Step]:
    elmo = {
        f"{_ELMO}.options_file": str(folder / "elmo" / "options.json"),
        f"{_ELMO}.weight_file": str(folder / "elmo" / "weights.hdf5"),
    }
    baseline, tagger, predictions = folder / "tagger-baseline", folder / "tagger-elmo", folder / "predictions.jsonl"
    return [
        Step(
            "Train a tagger of names without ELMo",
            _train(allennlp, TAGGER_CONFIGS["baseline"], baseline, {}),
            lambda: report.tagger(baseline),
        ),
        Step(
            "Train the same tagger with ELMo",
            _train(allennlp, TAGGER_CONFIGS["elmo"], tagger, elmo),
            lambda: report.tagger(tagger),
        ),
        Step(
            "Tag new sentences",
            [*allennlp, "predict", str(tagger / "model.tar.gz"), SENTENCES]
            + ["--output-file", str(predictions), "--silent"],
            lambda: report.tagged_sentences(predictions),
        ),
    ]


def _train(allennlp: List[str], config: str, output: Path, overrides: Dict[str, Any]) -> List[str]:
    command = [*allennlp, "train", config, "-s", str(output)]
    return command if not overrides else [*command, "-o", json.dumps(overrides)]
