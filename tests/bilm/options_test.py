import copy
import json
import logging
import re

import pytest
import torch

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.options import BilmOptions, CharCnnOptions, LstmOptions

# The layout of the original model's file, everything that describes its training included.
ORIGINAL = {
    "bidirectional": True,
    "char_cnn": {
        "activation": "relu",
        "embedding": {"dim": 16},
        "filters": [[1, 32], [2, 32], [3, 64], [4, 128], [5, 256], [6, 512], [7, 1024]],
        "max_characters_per_token": 50,
        "n_characters": 262,
        "n_highway": 2,
    },
    "dropout": 0.1,
    "lstm": {
        "cell_clip": 3,
        "dim": 4096,
        "n_layers": 2,
        "proj_clip": 3,
        "projection_dim": 512,
        "use_skip_connections": True,
    },
    "all_clip_norm_val": 10.0,
    "n_epochs": 10,
    "n_train_tokens": 768648884,
    "batch_size": 128,
    "n_tokens_vocab": 793471,
    "unroll_steps": 20,
    "n_negative_samples_batch": 8192,
}
MISSING = object()


def changed(path, value):
    """The original's options with one value changed, or taken away; `path` as in `char_cnn/embedding/dim`."""
    options = copy.deepcopy(ORIGINAL)
    *sections, key = path.split("/")
    section = options
    for name in sections:
        section = section[name]
    if value is MISSING:
        del section[key]
    else:
        section[key] = value
    return options


def test_the_original_is_read_and_what_follows_from_it_is_derived():
    options = BilmOptions.from_dict(ORIGINAL)
    assert options.char_cnn == CharCnnOptions(
        filters=((1, 32), (2, 32), (3, 64), (4, 128), (5, 256), (6, 512), (7, 1024)),
        embedding_dim=16,
        max_characters=50,
        num_highway=2,
        activation="relu",
    )
    assert options.lstm == LstmOptions(4096, 512, 2, 3.0, 3.0, True)
    assert options.num_words == 793471
    assert (options.projection_dim, options.representation_dim, options.num_representations) == (512, 1024, 3)
    assert (options.max_characters, options.char_cnn.num_filters) == (50, 2048)


def test_what_describes_the_training_is_kept():
    assert BilmOptions.from_dict(ORIGINAL).to_dict() == ORIGINAL


def test_unknown_keys_are_kept_and_named_in_one_line_of_the_log(caplog):
    given = copy.deepcopy(ORIGINAL)
    given["reverse"] = False
    given["char_cnn"]["projection_after_highway"] = True
    given["lstm"]["flavour"] = [1, {"deep": None}]
    with caplog.at_level(logging.INFO, "elmo_plugin.bilm.options"):
        options = BilmOptions.from_dict(given)
    assert options.to_dict() == given
    assert len(caplog.records) == 1
    for name in ("reverse", "lstm → flavour", "char_cnn → projection_after_highway", "n_train_tokens"):
        assert name in caplog.text


def test_a_file_without_unknown_keys_needs_no_line_in_the_log(caplog):
    given = {key: ORIGINAL[key] for key in ("bidirectional", "char_cnn", "lstm", "n_tokens_vocab")}
    with caplog.at_level(logging.INFO, "elmo_plugin.bilm.options"):
        BilmOptions.from_dict(given)
    assert caplog.records == []


def test_261_characters_are_262_when_written():
    options = BilmOptions.from_dict(changed("char_cnn/n_characters", 261))
    assert options == BilmOptions.from_dict(ORIGINAL)
    assert options.to_dict()["char_cnn"]["n_characters"] == 262


@pytest.mark.parametrize(
    "path, meaning",
    [
        ("bidirectional", lambda options: True),
        ("char_cnn/n_characters", lambda options: options.to_dict()["char_cnn"]["n_characters"] == 262),
        ("char_cnn/n_highway", lambda options: options.char_cnn.num_highway == 0),
        ("char_cnn/activation", lambda options: options.char_cnn.activation == "relu"),
        ("char_cnn/max_characters_per_token", lambda options: options.max_characters == 50),
        ("lstm/n_layers", lambda options: options.num_representations == 2),
        ("lstm/use_skip_connections", lambda options: options.lstm.use_skip_connections is False),
        ("lstm/cell_clip", lambda options: options.lstm.cell_clip is None),
        ("lstm/proj_clip", lambda options: options.lstm.projection_clip is None),
        ("n_tokens_vocab", lambda options: options.num_words is None and "n_tokens_vocab" not in options.to_dict()),
        ("char_cnn", lambda options: options.char_cnn is None and "char_cnn" not in options.to_dict()),
    ],
)
@pytest.mark.parametrize("absence", [MISSING, None])
def test_a_key_that_may_be_missing_or_null_has_the_meaning_of_the_reference(path, meaning, absence):
    options = BilmOptions.from_dict(changed(path, absence))
    assert meaning(options)
    assert BilmOptions.from_dict(options.to_dict()) == options


def test_a_clip_of_zero_is_a_clip():
    assert BilmOptions.from_dict(changed("lstm/cell_clip", 0)).lstm.cell_clip == 0.0


@pytest.mark.parametrize(
    "path, type_name",
    [
        ("lstm", "dict"),
        ("lstm/dim", "int"),
        ("lstm/projection_dim", "int"),
        ("char_cnn/filters", "list"),
        ("char_cnn/embedding", "dict"),
        ("char_cnn/embedding/dim", "int"),
    ],
)
@pytest.mark.parametrize("absence", [MISSING, None])
def test_a_missing_key_is_named_with_its_place_and_type(path, type_name, absence):
    *sections, key = path.split("/")
    named = "".join(f"{section} → " for section in sections) + repr(key)
    with pytest.raises(ValueError, match=f"no {named}; .*type {type_name}. Add it to options.json"):
        BilmOptions.from_dict(changed(path, absence))


@pytest.mark.parametrize(
    "path, value, message",
    [
        ("bidirectional", False, "'bidirectional': false. Only models with both directions"),
        ("bidirectional", "no", "'bidirectional' must be of type bool, but it is 'no'"),
        ("char_cnn", [], "'char_cnn' must be of type dict"),
        ("lstm", 3, "'lstm' must be of type dict, but it is 3. Correct it"),
        ("lstm/dim", "4096", "lstm → 'dim' must be of type int, but it is '4096'"),
        ("lstm/dim", True, "lstm → 'dim' must be of type int, but it is True"),
        ("lstm/dim", 0, "lstm → 'dim' must be at least 1, but it is 0"),
        ("lstm/projection_dim", -5, "lstm → 'projection_dim' must be at least 1, but it is -5"),
        ("lstm/projection_dim", 2.5, "lstm → 'projection_dim' must be of type int, but it is 2.5"),
        ("lstm/n_layers", 0, "lstm → 'n_layers' must be at least 1"),
        ("lstm/cell_clip", -1, "lstm → 'cell_clip' must not be negative, but it is -1"),
        ("lstm/proj_clip", "3", "lstm → 'proj_clip' must be of type float, but it is '3'"),
        ("lstm/use_skip_connections", 1, "'use_skip_connections' must be of type bool, but it is 1"),
        ("char_cnn/filters", [], "'filters' must be a list of one or more .* but it holds \\[\\]"),
        ("char_cnn/filters", [[1, 32], [2]], "'filters' must be a list .* but it holds \\[2\\]"),
        ("char_cnn/filters", [[1, 0]], "both positive, but it holds \\[1, 0\\]"),
        ("char_cnn/filters", [[True, 4]], "both positive, but it holds \\[True, 4\\]"),
        ("char_cnn/filters", [7], "'filters' must be a list .* but it holds 7"),
        ("char_cnn/embedding/dim", 0, "char_cnn → embedding → 'dim' must be at least 1"),
        ("char_cnn/max_characters_per_token", 6, "is 6; it must be at least 3 .* the widest filter, 7"),
        ("char_cnn/activation", "gelu", "'activation' must be one of .*relu.*tanh.* but it is 'gelu'"),
        ("char_cnn/n_characters", 256, "must be 261 .* or 262 .* but it is 256"),
        ("char_cnn/n_highway", -1, "'n_highway' must be 0 or more, but it is -1"),
        ("n_tokens_vocab", 0, "'n_tokens_vocab' must be at least 1, but it is 0"),
        ("n_tokens_vocab", "many", "'n_tokens_vocab' must be of type int"),
    ],
)
def test_an_impossible_value_is_named_with_what_was_expected(path, value, message):
    with pytest.raises(ValueError, match=message):
        BilmOptions.from_dict(changed(path, value))


def test_two_characters_are_too_few_for_a_word():
    given = changed("char_cnn/filters", [[1, 4]])
    given["char_cnn"]["max_characters_per_token"] = 2
    with pytest.raises(ValueError, match="at least 3 .begin of word, one byte, end of word."):
        BilmOptions.from_dict(given)


def test_a_model_of_word_ids_without_a_number_of_words_cannot_be_built():
    options = BilmOptions.from_dict({"lstm": ORIGINAL["lstm"]})
    with pytest.raises(ValueError, match="no 'char_cnn'.*no 'n_tokens_vocab'.*Add one of the two"):
        with torch.device("meta"):
            Bilm(options)


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_a_file_is_read_with_or_without_a_byte_order_mark(tmp_path, mark):
    path = tmp_path / "options.json"
    path.write_text(mark + json.dumps(ORIGINAL), encoding="utf-8")
    assert BilmOptions.from_file(path).to_dict() == ORIGINAL


@pytest.mark.parametrize(
    "content, message",
    [
        (b"", "is not JSON in UTF-8"),
        (b'{"lstm": ', "is not JSON in UTF-8"),
        (b"\xff\xfe{\x00}\x00", "is not JSON in UTF-8"),
        (b"[1, 2]", "holds a JSON list; a biLM's options.json holds an object"),
        (b'{"lstm": {"dim": 3}}', "no lstm → 'projection_dim'"),
    ],
)
def test_a_file_that_holds_no_options_is_named(tmp_path, content, message):
    path = tmp_path / "options.json"
    path.write_bytes(content)
    with pytest.raises(ValueError, match=message) as error:
        BilmOptions.from_file(str(path))
    assert str(path) in str(error.value)


@pytest.mark.parametrize("name", ["options.json", "."])
def test_a_missing_file_or_a_folder_in_its_place_is_named(tmp_path, name):
    path = tmp_path / name
    with pytest.raises(FileNotFoundError, match=f"no options file {re.escape(str(path))}. Give the path of a biLM's"):
        BilmOptions.from_file(path)
