import builtins
import os

import pytest
from allennlp.data import Vocabulary

from elmo_plugin.compat import whole_vocabulary


class Killed(BaseException):
    """In the place of a signal that leaves no time for anything."""


def vocabulary(*words: str) -> Vocabulary:
    made = Vocabulary(non_padded_namespaces=["words"])
    for word in words:
        made.add_token_to_namespace(word, "words")
    return made


@pytest.fixture
def killed_at_the_third_word(monkeypatch):
    """AllenNLP writes with `print`."""

    def dying(*args, **kwargs):
        if args == ("c",):
            raise Killed
        builtins.print(*args, **kwargs)

    monkeypatch.setattr("allennlp.data.vocabulary.print", dying, raising=False)


def words_in(folder) -> list:
    return [
        word for _, word in sorted(Vocabulary.from_files(str(folder)).get_index_to_token_vocabulary("words").items())
    ]


def test_without_the_mend_a_process_killed_in_between_leaves_fewer_words(tmp_path, killed_at_the_third_word):
    with pytest.raises(Killed):
        whole_vocabulary._in_place(vocabulary("a", "b", "c", "d"), str(tmp_path / "vocabulary"))
    assert words_in(tmp_path / "vocabulary") == ["a", "b"]


def test_a_process_killed_in_between_leaves_none(tmp_path, killed_at_the_third_word):
    with pytest.raises(Killed):
        vocabulary("a", "b", "c", "d").save_to_files(str(tmp_path / "vocabulary"))
    assert not (tmp_path / "vocabulary").exists()


def test_or_the_one_that_was_there(tmp_path, monkeypatch, request):
    vocabulary("a", "b", "c").save_to_files(str(tmp_path / "vocabulary"))
    request.getfixturevalue("killed_at_the_third_word")
    with pytest.raises(Killed):
        vocabulary("a", "b", "c", "d").save_to_files(str(tmp_path / "vocabulary"))
    assert words_in(tmp_path / "vocabulary") == ["a", "b", "c"]


def test_saved_again_it_is_the_later_one_and_nothing_else_is_left(tmp_path):
    for words in ("abcd", "abc"):
        vocabulary(*words).save_to_files(str(tmp_path / "vocabulary") + os.sep)
    assert words_in(tmp_path / "vocabulary") == ["a", "b", "c"]
    assert os.listdir(tmp_path) == ["vocabulary"]
