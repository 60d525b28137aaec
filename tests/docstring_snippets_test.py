"""Every component says what it is registered as and shows a configuration, which builds."""

import ast
import json
import re
from pathlib import Path
from typing import Any, Dict, Iterator, Tuple

import _jsonnet
import pytest
import torch
from allennlp.commands import Subcommand
from allennlp.common import Params, Registrable
from allennlp.data import DataLoader, DatasetReader, TokenIndexer, Tokenizer, Vocabulary
from allennlp.models import Model
from allennlp.modules import TokenEmbedder
from allennlp.predictors import Predictor
from allennlp.training.metrics import Metric

import elmo_plugin  # noqa: F401  registers everything
from elmo_plugin.data.dataset_readers.lac import LacReader
from elmo_plugin.data.dataset_readers.sentences import ElmoSentencesReader
from elmo_plugin.data.dataset_readers.tagging import TaggingReader
from elmo_plugin.data.vocabulary import ElmoVocabulary
from elmo_plugin.predictors.lac import LacPredictor

# What the first issue of the project promises, whatever else there is.
PROMISED = {
    DatasetReader: ["elmo_sentences", "elmo_tagging"],
    TokenIndexer: ["elmo_character_ids"],
    TokenEmbedder: ["elmo"],
    Model: ["language_model", "elmo_tagger"],
    Vocabulary: ["elmo_word_file"],
    DataLoader: ["elmo_stream"],
    Metric: ["elmo_perplexity"],
    Tokenizer: ["elmo_spacy"],
    Predictor: ["elmo_tagger"],
    Subcommand: ["elmo-export", "elmo-prepare"],
}


def registered() -> Iterator[Tuple[type, type, str]]:
    """(base class, class, name) of everything that the plugin registers."""
    for base, classes in list(Registrable._registry.items()):
        for name, (registered_class, _) in classes.items():
            if registered_class.__module__.split(".")[0] == "elmo_plugin":
                yield base, registered_class, name


COMPONENTS = sorted(registered(), key=lambda component: (component[0].__name__, component[2]))
CONFIGURABLE = [component for component in COMPONENTS if component[0] is not Subcommand]
each = pytest.mark.parametrize(
    "base, registered_class, name", COMPONENTS, ids=[f"{base.__name__}-{name}" for base, _, name in COMPONENTS]
)
each_configurable = pytest.mark.parametrize(
    "base, registered_class, name", CONFIGURABLE, ids=[f"{base.__name__}-{name}" for base, _, name in CONFIGURABLE]
)


@pytest.mark.parametrize("base", PROMISED, ids=lambda base: base.__name__)
def test_every_promised_name_is_registered_by_the_plugin(base):
    assert set(PROMISED[base]) <= {name for other, _, name in COMPONENTS if other is base}


def test_importing_the_package_imports_every_module_that_registers(project_root):
    package = project_root / "elmo_plugin"
    imported = {
        alias.name
        for node in ast.walk(ast.parse((package / "registration.py").read_text(encoding="utf-8")))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    for path in package.rglob("*.py"):
        if registers(path):
            module = ".".join(path.relative_to(project_root).with_suffix("").parts)
            assert module in imported or imported_by_another(module, imported, project_root), (
                f"{module} is not imported"
            )


def registers(path: Path) -> bool:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        for decorator in getattr(node, "decorator_list", []):
            function = getattr(decorator, "func", None)
            if isinstance(function, ast.Attribute) and function.attr == "register":
                return True
    return False


def imported_by_another(module: str, others, project_root: Path) -> bool:
    """Whether one of the modules that registration imports imports this one."""
    for other in others:
        path = project_root / Path(*other.split(".")).with_suffix(".py")
        if path.is_file() and f"from {module} import" in path.read_text(encoding="utf-8"):
            return True
    return False


@each
def test_a_component_says_what_it_is_registered_as(base, registered_class, name):
    paragraph = re.search(r"Registered as an? `(\w+)` with names? (.*?)\.(\s|$)", registered_class.__doc__, re.DOTALL)
    assert paragraph is not None, f"{registered_class.__name__} does not say what it is registered as"
    assert paragraph.group(1) == base.__name__
    assert f'"{name}"' in paragraph.group(2)


def snippet_of(registered_class: type) -> Dict[str, Any]:
    found = re.search(r"```jsonnet\n(.*?)```", registered_class.__doc__, re.DOTALL)
    assert found is not None, f"{registered_class.__name__} shows no configuration"
    return json.loads(_jsonnet.evaluate_snippet(registered_class.__name__, found.group(1)))


@pytest.fixture(scope="module")
def extras(project_root, tmp_path_factory):
    """What AllenNLP hands to components beside their configuration."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project_root)
        vocabulary = ElmoVocabulary.from_word_file("fixtures/corpus/vocabulary.txt")
        tagging = TaggingReader()
        vocabulary.extend_from_instances(tagging.read("fixtures/tagged/train.conll"))
        tagger = Model.from_params(Params(snippet_of(Model.by_name("elmo_tagger"))), vocab=vocabulary)
    return {
        "vocab": vocabulary,
        "reader": ElmoSentencesReader(),
        "data_path": "fixtures/corpus/heldout.txt",
        "serialization_dir": str(tmp_path_factory.mktemp("serialization")),
        "model": tagger,
        "dataset_reader": tagging,
        "model_parameters": list(tagger.named_parameters()),
        "optimizer": torch.optim.SGD(tagger.parameters(), lr=0.1),
        "num_epochs": 2,
        "num_steps_per_epoch": 1000,
    }


@each_configurable
def test_its_configuration_builds_it(base, registered_class, name, extras, project_root, monkeypatch):
    monkeypatch.chdir(project_root)
    snippet = snippet_of(registered_class)
    if registered_class is LacPredictor:
        extras = {**extras, "dataset_reader": LacReader()}
    assert Registrable._registry[base][snippet["type"]][0] is registered_class
    built = base.from_params(Params(snippet), **extras)
    assert isinstance(built, registered_class)


def test_there_is_a_model_among_them_that_computes(extras, project_root, monkeypatch):
    """The snippets fit together: the loader's batches go through the language model."""
    monkeypatch.chdir(project_root)
    loader = DataLoader.from_params(Params(snippet_of(DataLoader.by_name("elmo_stream"))), **extras)
    loader.index_with(extras["vocab"])
    model = Model.from_params(Params(snippet_of(Model.by_name("language_model"))), **extras)
    assert torch.isfinite(model(**next(iter(loader)))["loss"])
