"""The folder that stands for a biLM outside of AllenNLP's archives: what `elmo-export` and `elmo-import` write."""

import json
import os
import shlex
from pathlib import Path
from typing import Dict, List, Optional

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions
from elmo_plugin.bilm.sidecar import FILE_NAME, Sidecar, save_sidecar
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import save_weights
from elmo_plugin.corpus.directories import whole_directory

OPTIONS, WEIGHTS, VOCABULARY = "options.json", "weights.hdf5", "vocabulary.txt"
# What AllenNLP's own Elmo has as a constant.
_ALLENNLP_CHARACTERS = 50


def write_files(
    output: Path, bilm: Bilm, vocabulary: Optional[WordVocabulary], sidecar: Sidecar, force: bool = False
) -> None:
    """
    Writes `options.json`, `weights.hdf5`, and `vocabulary.txt` and `sidecar.hdf5` where there is something to put in,
    all of them or none.

    # Raises

    `ValueError` where `output` is in the way.
    """
    with whole_directory(output, force) as directory:
        options = json.dumps(bilm.options.to_dict(), indent=2) + "\n"
        (directory / OPTIONS).write_text(options, encoding="utf-8")
        save_weights(bilm, directory / WEIGHTS)
        if vocabulary is not None:
            vocabulary.to_file(directory / VOCABULARY)
        if sidecar != Sidecar(None, None):
            save_sidecar(directory / FILE_NAME, sidecar)


def embedder_config(directory: Path) -> Dict[str, str]:
    """What stands in a configuration's `token_embedders`."""
    return {
        "type": "elmo",
        "options_file": os.path.join(directory, OPTIONS),
        "weight_file": os.path.join(directory, WEIGHTS),
    }


def usage(directory: Path, options: BilmOptions) -> str:
    """How to use the files, for people to read."""
    if options.char_cnn is None:
        files = " ".join(
            f"{flag} {shlex.quote(os.path.join(directory, name))}"
            for flag, name in (
                ("--options-file", OPTIONS),
                ("--weight-file", WEIGHTS),
                ("--vocabulary-file", VOCABULARY),
            )
        )
        return (
            "This biLM reads word ids, which no indexer makes, so it can't be an embedder in a configuration. Embed "
            f"text with:\n  allennlp-elmo elmo TEXT OUTPUT --all --state zero {files}"
        )
    indexer = {"type": "elmo_character_ids"}
    if options.max_characters != _ALLENNLP_CHARACTERS:
        indexer["max_characters"] = options.max_characters
    lines = [
        "Use it as an embedder with:",
        json.dumps(embedder_config(directory), indent=2),
        f"and the indexer {json.dumps(indexer)}; training_configs/ner_with_elmo.jsonnet is a whole example.",
    ]
    obstacles = obstacles_for_allennlp(options)
    if obstacles:
        lines.append(
            f"AllenNLP's own Elmo (elmo_token_embedder) can't read these files: {'; '.join(obstacles)}. The embedder "
            "elmo can."
        )
    if options.lstm.cell_dim == options.projection_dim:
        lines.append(
            "bilm-tf has no projections where 'dim' is 'projection_dim', and passes over those of these files (W_P_0): "
            "unless the model came from it, it reads another one."
        )
    return "\n".join(lines)


def obstacles_for_allennlp(options: BilmOptions) -> List[str]:
    """Why AllenNLP's own `Elmo` can't read a model of this shape, or reads another one from its files."""
    cnn = options.char_cnn
    if cnn is None:
        return ["the model reads word ids"]
    if cnn.symbols is not None:
        return ["the model reads characters from a table of its own"]
    obstacles = []
    if cnn.max_characters != _ALLENNLP_CHARACTERS:
        obstacles.append(f"a word has {cnn.max_characters} characters, there always {_ALLENNLP_CHARACTERS}")
    if not options.lstm.use_skip_connections:
        obstacles.append("the layers have no skip connections (use_skip_connections)")
    if not cnn.has_projection(options.projection_dim):
        obstacles.append("the filters add up to projection_dim, so that there is no CNN_proj")
    return obstacles
