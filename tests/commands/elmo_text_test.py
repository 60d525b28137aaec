import json

import pytest
from allennlp.common import Params
from allennlp.data import DatasetReader, Instance, Token
from allennlp.data.fields import ListField, TextField

from elmo_plugin.__main__ import main
from elmo_plugin.commands.elmo_text import distinct_sentences

WITHOUT_TESTS = {"validation_data_path": None, "test_data_path": None}
NER, READING = "training_configs/ner_with_elmo.jsonnet", "training_configs/squad_with_elmo.jsonnet"


@pytest.fixture(autouse=True)
def in_the_projects_root(project_root, monkeypatch):
    monkeypatch.chdir(project_root)


@pytest.fixture
def write(monkeypatch):
    def call(*arguments):
        monkeypatch.setattr("sys.argv", ["allennlp-elmo", "elmo-text", *map(str, arguments)])
        main()

    return call


def words_of(*names):
    """The first columns of tagged files, a sentence a list."""
    sentences = []
    for name in names:
        text = open(f"fixtures/tagged/{name}.conll", encoding="utf-8").read()
        for block in text.split("\n\n"):
            sentence = [line.split()[0] for line in block.splitlines() if line and not line.startswith("-DOCSTART-")]
            if sentence and sentence not in sentences:
                sentences.append(sentence)
    return sentences


def test_it_writes_each_distinct_sentence_of_all_files_once(write, tmp_path, capsys):
    write(NER, tmp_path / "text.txt")
    sentences = words_of("train", "dev", "test")
    assert [line.split(" ") for line in (tmp_path / "text.txt").read_text().splitlines()] == sentences
    told = f"Success! {len(sentences):,} distinct sentences of {sum(map(len, sentences)):,} tokens"
    assert told in capsys.readouterr().out
    assert list(tmp_path.iterdir()) == [tmp_path / "text.txt"]


def test_only_the_training_part_is_written_to_fine_tune_on(write, tmp_path):
    write(NER, tmp_path / "text.txt", "--only-train")
    assert [line.split(" ") for line in (tmp_path / "text.txt").read_text().splitlines()] == words_of("train")


def test_passages_and_questions_are_sentences_and_overrides_hold(write, tmp_path):
    overrides = {"validation_data_path": None, "test_data_path": None, "dataset_reader.max_instances": 1}
    write(READING, tmp_path / "text.txt", "-o", json.dumps(overrides))
    question, passage = (tmp_path / "text.txt").read_text().splitlines()
    assert question.endswith(" ?") and len(passage.split()) > len(question.split())


def test_all_words_of_a_store_of_that_text_are_found(write, tmp_path, monkeypatch):
    """A training from the store computes nothing, so it needs no weights."""
    write(NER, tmp_path / "text.txt")
    files = ["--options-file", "fixtures/bilm/options.json", "--weight-file", "fixtures/bilm/weights.hdf5"]
    store = str(tmp_path / "store")
    arguments = [str(tmp_path / "text.txt"), store, "--all", "--format", "store", *files]
    monkeypatch.setattr("sys.argv", ["-", "elmo", *arguments])
    main()
    elmo = "model.text_field_embedder.token_embedders.elmo"
    overrides = {elmo: {"type": "elmo_precomputed", "store": store, "options_file": None, "weight_file": None}}
    overrides["trainer.num_epochs"] = 1
    monkeypatch.setattr("sys.argv", ["-", "train", NER, "-s", str(tmp_path / "out"), "-o", json.dumps(overrides)])
    main()
    assert "test_f1" in json.loads((tmp_path / "out" / "metrics.json").read_text())


def test_an_existing_file_is_kept_unless_forced(write, tmp_path):
    output = tmp_path / "text.txt"
    output.write_text("mine\n")
    with pytest.raises(SystemExit) as ended:
        write(NER, output)
    assert "already exists. Use --force" in str(ended.value) and output.read_text() == "mine\n"
    write(NER, output, "--force")
    assert output.read_text() != "mine\n"


@pytest.mark.parametrize(
    "overrides, message",
    [
        ({**WITHOUT_TESTS, "train_data_path": None}, "has none of train_data_path"),
        ({"train_data_path": "none.conll"}, "none.conll"),
        ({**WITHOUT_TESTS, "dataset_reader.max_instances": 0}, "There is no sentence in what the dataset reader makes"),
        (
            {**WITHOUT_TESTS, "dataset_reader.separator": "|", "train_data_path": "SPACED"},
            'the token "New York" is empty or has white space in it',
        ),
    ],
)
def test_what_can_not_be_written_is_an_error_and_leaves_nothing(write, tmp_path, overrides, message):
    spaced = tmp_path / "spaced.conll"
    spaced.write_text("in|O\nNew York|B-LOC\n\n")
    given = {key: str(spaced) if value == "SPACED" else value for key, value in overrides.items()}
    with pytest.raises(SystemExit) as ended:
        write(NER, tmp_path / "text.txt", "-o", json.dumps(given))
    assert message in str(ended.value)
    assert list(tmp_path.iterdir()) == [spaced]


@DatasetReader.register("two_sentences_a_line", exist_ok=True)
class TwoSentencesALine(DatasetReader):
    def _read(self, file_path):
        for line in open(file_path, encoding="utf-8"):
            yield Instance(
                {"text": ListField([TextField([Token(w) for w in part.split()]) for part in line.split("|")])}
            )

    def apply_token_indexers(self, instance):
        pass


def test_sentences_in_lists_count_too(tmp_path):
    (tmp_path / "text").write_text("one two|three\nthree|four\n")
    params = Params({"dataset_reader": {"type": "two_sentences_a_line"}, "train_data_path": str(tmp_path / "text")})
    assert list(distinct_sentences(params)) == [["one", "two"], ["three"], ["four"]]


def test_what_is_read_is_told_in_a_bar_and_not_setting_by_setting(write, tmp_path, capsys, caplog):
    caplog.set_level("INFO")
    write(NER, tmp_path / "text.txt", "--only-train")
    assert "train_data_path: " in capsys.readouterr().err
    assert not [record for record in caplog.records if record.name == "allennlp.common.params"]


@pytest.mark.parametrize(
    "config, output, message",
    [
        ("none.jsonnet", "text.txt", "none.jsonnet not found"),
        (NER, "none/text.txt", "There is no folder .*none to write text.txt in. Make it"),
        (NER, ".", "is a folder; give the name of the file to write"),
    ],
)
def test_places_that_make_no_sense_are_named(write, tmp_path, config, output, message):
    with pytest.raises(SystemExit, match=message):
        write(config, tmp_path / output, "--force")
    assert list(tmp_path.iterdir()) == []


def test_what_the_training_reads_is_not_replaced(write, tmp_path):
    text = tmp_path / "train.conll"
    text.write_text("in O\n\n")
    with pytest.raises(SystemExit, match="train.conll is a file that the training reads, and would be replaced"):
        write(NER, text, "--force", "-o", json.dumps({"train_data_path": str(text)}))
    assert text.read_text() == "in O\n\n"
