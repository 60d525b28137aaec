import pytest
from allennlp.common import Params
from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary

from elmo_plugin.data.vocabulary import NAMESPACE, ElmoVocabulary, word_vocabulary

# Words that AllenNLP gives a meaning of its own stand among them.
WORDS = ["<S>", "</S>", "<UNK>", "the", "été", "中文", "@@UNKNOWN@@", "@@PADDING@@", "@@NEWLINE@@"]
WORDS += ["#", "\u200b", "a\\nb"]


@pytest.fixture
def path(tmp_path):
    path = tmp_path / "words.txt"
    path.write_text("".join(f"{word}\n" for word in WORDS), encoding="utf-8")
    return path


def from_file(path):
    return Vocabulary.from_params(Params({"type": "elmo_word_file", "file": str(path)}))


def ids(vocabulary):
    return {word: vocabulary.get_token_index(word, NAMESPACE) for word in WORDS}


def test_words_have_their_line_numbers_as_ids(path):
    vocabulary = from_file(path)
    assert type(vocabulary) is ElmoVocabulary
    assert ids(vocabulary) == {word: index for index, word in enumerate(WORDS)}
    assert vocabulary.get_vocab_size(NAMESPACE) == len(WORDS)
    assert [vocabulary.get_token_from_index(index, NAMESPACE) for index in range(len(WORDS))] == WORDS


def test_other_words_are_unknown(path):
    assert from_file(path).get_token_index("Bordeaux", NAMESPACE) == 2


def test_it_comes_back_from_its_own_files_as_it_was(path, tmp_path):
    from_file(path).save_to_files(str(tmp_path / "vocabulary"))
    for kind in (ElmoVocabulary, Vocabulary):
        assert word_vocabulary(kind.from_files(str(tmp_path / "vocabulary"))).words == WORDS
    # What an archive asks for: no tokens of its own.
    vocabulary = ElmoVocabulary.from_files(str(tmp_path / "vocabulary"), None, None)
    assert word_vocabulary(vocabulary).words == WORDS
    assert vocabulary.get_token_index("Bordeaux", NAMESPACE) == 2


def test_it_comes_back_as_the_vocabulary_that_several_processes_load(path, tmp_path):
    from_file(path).save_to_files(str(tmp_path / "vocabulary"))
    # This is what AllenNLP writes into the configuration of each process.
    params = {"type": "from_files", "directory": str(tmp_path / "vocabulary"), "oov_token": from_file(path)._oov_token}
    assert word_vocabulary(Vocabulary.from_params(Params(params))).words == WORDS


@pytest.mark.parametrize(
    "content, message",
    [
        (b"the\ncat\n", "must begin with the lines <S>, </S>, <UNK>, but it begins with 'the', 'cat'"),
        (b"<S>\n</S>\n<UNK>\nthe 12\n", "words.txt, line 4: expected one word without white space"),
        (b"<S>\n</S>\n<UNK>\n\xff\n", "words.txt, line 4: not UTF-8"),
        (b"<S>\n</S>\n<UNK>\nx\nx\n", "words.txt holds the word 'x' twice"),
        (None, "no vocabulary file .*words.txt. Give a file of one word a line"),
    ],
)
def test_what_is_no_vocabulary_is_an_error_with_file_and_line(path, content, message):
    path.unlink() if content is None else path.write_bytes(content)
    with pytest.raises(ConfigurationError, match=message):
        from_file(path)


@pytest.mark.parametrize("arguments", [{}, {"tokens_to_add": {"tokens": ["the"]}}])
def test_a_vocabulary_without_such_words_says_how_to_name_a_file(arguments):
    with pytest.raises(ConfigurationError, match='no words in the namespace .elmo_words.*"type": "elmo_word_file"'):
        word_vocabulary(Vocabulary(**arguments))


def test_a_namespace_without_the_special_words_is_an_error():
    vocabulary = Vocabulary(non_padded_namespaces=[NAMESPACE], tokens_to_add={NAMESPACE: ["a", "b"]})
    with pytest.raises(
        ConfigurationError, match="the namespace 'elmo_words' must begin with the lines <S>, </S>, <UNK>"
    ):
        word_vocabulary(vocabulary)
