import itertools
import random

import h5py
import pytest

from elmo_plugin.bilm.dump_keys import SentenceKeys, sentence_key


@pytest.mark.parametrize(
    "sentence",
    ["The cat sat .", "50 % of it", "100%", "a.b", "..", "… ?", "čeština", "% 25", "a%2", "sentence_to_index"],
)
def test_a_sentence_is_its_own_key(sentence):
    assert sentence_key(sentence) == sentence


@pytest.mark.parametrize(
    "sentence, key",
    [
        ("either / or", "either %2F or"),
        ("/", "%2F"),
        ("50 % and / or", "50 %25 and %2F or"),
        ("", "%"),
        (".", "%2E"),
        ("%", "%25"),
        ("a\0b", "a%00b"),
        ("a %2F b", "a %252F b"),
        ("twice%#2", "twice%25#2"),
    ],
)
def test_what_hdf5_has_no_name_for_and_what_looks_like_its_name_are_written_otherwise(sentence, key):
    assert sentence_key(sentence) == key


def test_later_occurrences_are_numbered():
    keys = SentenceKeys()
    assert [keys(sentence) for sentence in ("Yes .", "No .", "Yes .", "", "Yes .", "")] == [
        "Yes .", "No .", "Yes .%#2", "%", "Yes .%#3", "%%#2"
    ]


def test_no_two_sentences_share_a_key_and_hdf5_takes_every_key(tmp_path):
    alphabet = ["/", "%", "2", "F", "5", ".", "#", "a", "\0", "E"]
    sentences = ["".join(letters) for size in range(4) for letters in itertools.product(alphabet, repeat=size)]
    endings = ("%2", "%#3", "%#2%#2", "%25", "%25#2", "%", "#2", "%#25", "/%", "%#", "%25#25")
    sentences += [f"a{ending}" for ending in endings]
    sentences = list(dict.fromkeys(sentences))
    keys = [sentence_key(sentence, occurrence) for sentence in sentences for occurrence in (1, 2, 25)]
    assert len(set(keys)) == len(keys)
    with h5py.File(tmp_path / "keys.hdf5", "w") as file:
        for key in random.Random(0).sample(keys, 300) + [sentence_key("."), sentence_key("..")]:
            file.require_dataset(key, (1,), "float32")[0] = 1.0
        assert all(isinstance(item, h5py.Dataset) for item in file.values())
