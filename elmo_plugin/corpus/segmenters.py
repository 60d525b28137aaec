"""
Lines of text to sentences of words.

spaCy does the work wherever it has rules: its blank pipelines need no download. It is imported only when asked for,
since text that is already tokenised does without.
"""

import logging
import os
import re
import warnings
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Callable, Iterable, Iterator, List

from elmo_plugin.corpus.lines import paragraphs
from elmo_plugin.corpus.settings import Settings

if TYPE_CHECKING:
    from spacy.language import Language
    from spacy.tokens import Doc, Token

Words = List[str]
Segmenter = Callable[[List[str]], Iterator[Words]]

# Scripts written without spaces between words: lines of a paragraph are joined without one.
_UNSPACED_LANGUAGES = ("zh", "ja", "th", "lo", "km", "my")

# Ideographs, their extensions and compatibility forms, kana.
_IDEOGRAPH = "\u3005-\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U000323af"
_CHARACTER = re.compile(rf"[{_IDEOGRAPH}]|(?:(?![{_IDEOGRAPH}])\w)+|\S")

# An end mark (ASCII ones only behind an ideograph: elsewhere they belong to numbers and addresses), more of them, then
# whatever closes; spaces may stand between them in segmented text.
_CHINESE_END = re.compile(rf"(?:[。？！｡]|(?<=[{_IDEOGRAPH}])[?!])(?:\s*[。？！｡?!…])*(?:\s*[”’」』）】》〉〗〕])*")

# pkuseg's model for mixed domains, and where pkuseg keeps it. Asked for it by its name, pkuseg would download it, even
# where the folder is there and the archive that it came in is not.
PKUSEG_MODEL = "mixed"
PKUSEG_FOLDER = Path(os.environ.get("PKUSEG_HOME", "~/.pkuseg")).expanduser()
_PACKAGES = {"jieba": "jieba", "pkuseg": "spacy-pkuseg"}

_LONG_RUN_LENGTH = 1000
_LONG_RUN = re.compile(rf"(\S{{{_LONG_RUN_LENGTH},}})")

# No document is too long for a tokenizer and a sentencizer; spaCy's limit is meant for parsers.
_NO_LENGTH_LIMIT = 1 << 40


@lru_cache(maxsize=1)
def build_segmenter(settings: Settings) -> Segmenter:
    """
    A function from the lines of a block to its sentences, each a non-empty list of words without white space. Each
    process builds it once: pipelines with a dictionary cannot be sent from one to another.

    # Raises

    `ValueError` if spaCy has no pipeline for the language, or the segmenter is not installed.
    """
    if settings.presplit:
        return _word_splitter(settings)
    joint = "" if settings.language in _UNSPACED_LANGUAGES else " "

    def to_paragraphs(lines: List[str]) -> Iterator[str]:
        return paragraphs(lines, settings.paragraphs, joint)

    if settings.segmenter == "spacy" and settings.language != "zh":
        return _spacy_sentences(settings.language, to_paragraphs)
    if settings.segmenter == "whitespace" and settings.language != "zh":
        return _spacy_sentences_of_words(settings.language, to_paragraphs)
    split_words = _word_splitter(settings)

    def segment(lines: List[str]) -> Iterator[Words]:
        return split_words([s for paragraph in to_paragraphs(lines) for s in split_chinese(paragraph)])

    return segment


def split_chinese(text: str) -> List[str]:
    """
    Sentences end behind 。？！ (also doubled or with …) and the quotes and brackets that close there. An opening quote
    belongs to the next sentence; what follows the last mark is a sentence too.
    """
    sentences, start = [], 0
    for match in _CHINESE_END.finditer(text):
        sentences.append(text[start : match.end()].strip())
        start = match.end()
    sentences.append(text[start:].strip())
    return [sentence for sentence in sentences if sentence]


def split_characters(text: str) -> Words:
    """Each ideograph is a word; so is each run of other letters and digits, and each other mark."""
    return _CHARACTER.findall(text)


def _word_splitter(settings: Settings) -> Segmenter:
    """Sentences in, words out."""
    if settings.segmenter == "whitespace":
        return lambda sentences: _not_empty(map(str.split, sentences))
    if settings.segmenter == "characters":
        return lambda sentences: _not_empty(map(split_characters, sentences))
    return _spacy_words(settings.language, settings.segmenter)


def _not_empty(sentences: Iterable[Words]) -> Iterator[Words]:
    return (words for words in sentences if words)


def _blank_pipeline(language: str, segmenter: str = "spacy") -> "Language":
    import spacy

    if segmenter == "pkuseg" and not (PKUSEG_FOLDER / PKUSEG_MODEL).is_dir():
        raise ValueError(
            f"segmenter: pkuseg's model is not in {PKUSEG_FOLDER / PKUSEG_MODEL}; on a machine with a network "
            f"pip install spacy-pkuseg and python -c \"import spacy_pkuseg; spacy_pkuseg.pkuseg('{PKUSEG_MODEL}')\" "
            "put it there. Or use jieba or characters."
        )
    config = {} if segmenter == "spacy" else {"nlp": {"tokenizer": {"segmenter": segmenter}}}
    try:
        if segmenter == "jieba":
            with warnings.catch_warnings():
                # It imports something of setuptools that is going to disappear, and can do without.
                warnings.simplefilter("ignore", UserWarning)
                import jieba

            # It announces each step of reading its dictionary.
            jieba.setLogLevel(logging.WARNING)
        pipeline = spacy.blank(language, config=config)
        if segmenter == "pkuseg":
            pipeline.tokenizer.initialize(pkuseg_model=str(PKUSEG_FOLDER / PKUSEG_MODEL))
    except ImportError as error:
        raise ValueError(_not_installed(language, segmenter, error)) from error
    if pipeline.lang != language:
        raise ValueError(
            f"language: expected a code as spaCy has it, for {language!r} that is {pipeline.lang!r}; give that."
        )
    pipeline.max_length = _NO_LENGTH_LIMIT
    return pipeline


def _not_installed(language: str, segmenter: str, error: ImportError) -> str:
    if segmenter == "spacy":
        return (
            f"language: spaCy has no usable pipeline for '{language}' ({error}). "
            "Give a code from https://spacy.io/usage/models, or tokenise the text and use the whitespace segmenter."
        )
    return (
        f"segmenter: {segmenter} is not installed ({error}): pip install {_PACKAGES[segmenter]}; "
        "or use the segmenter characters, which needs nothing."
    )


def _tokenizer(language: str, pipeline: "Language") -> Callable[[str], "Doc"]:
    """
    The pipeline's own tokenizer, but for runs of `_LONG_RUN` characters without a space: spaCy's time grows with the
    square of a run of quotes or brackets. Such a run becomes one token.
    """
    from spacy.tokens import Doc

    def tokenize(text: str) -> "Doc":
        if language in _UNSPACED_LANGUAGES or _LONG_RUN.search(text) is None:
            return pipeline.tokenizer(text)
        words = []
        for piece in _LONG_RUN.split(text):
            is_run = len(piece) >= _LONG_RUN_LENGTH and not any(map(str.isspace, piece))
            words += [piece] if is_run else [t.text for t in pipeline.tokenizer(piece) if not t.is_space]
        return Doc(pipeline.vocab, words=words)

    return tokenize


def _spacy_words(language: str, segmenter: str) -> Segmenter:
    pipeline = _blank_pipeline(language, segmenter)
    tokenize = _tokenizer(language, pipeline)

    def segment(sentences: List[str]) -> Iterator[Words]:
        with pipeline.memory_zone():
            yield from _not_empty([t.text for t in tokenize(text) if not t.is_space] for text in sentences)

    return segment


def _spacy_sentences(language: str, to_paragraphs: Callable[[List[str]], Iterable[str]]) -> Segmenter:
    pipeline = _blank_pipeline(language)
    sentencizer = pipeline.add_pipe("sentencizer")
    tokenize = _tokenizer(language, pipeline)

    def segment(lines: List[str]) -> Iterator[Words]:
        with pipeline.memory_zone():
            for paragraph in to_paragraphs(lines):
                yield from _words_by_sentence(sentencizer(tokenize(paragraph)))

    return segment


def _spacy_sentences_of_words(language: str, to_paragraphs: Callable[[List[str]], Iterable[str]]) -> Segmenter:
    """The words are given, spaCy's rules only find where sentences end."""
    from spacy.tokens import Doc

    pipeline = _blank_pipeline(language)
    sentencizer = pipeline.add_pipe("sentencizer")

    def segment(lines: List[str]) -> Iterator[Words]:
        with pipeline.memory_zone():
            for paragraph in to_paragraphs(lines):
                yield from _words_by_sentence(sentencizer(Doc(pipeline.vocab, words=paragraph.split())))

    return segment


def _words_by_sentence(doc: "Doc") -> Iterator[Words]:
    """
    The sentencizer's sentences, but for quotes and brackets that open behind an end mark (white space before, none
    after): it leaves them with the sentence that ended, here they begin the next one.
    """
    starts = [token.i for token in doc if token.is_sent_start]
    for i, start in enumerate(starts):
        while i > 0 and start - 2 > starts[i - 1] and _opens(doc[start - 1]) and doc[start - 2].whitespace_:
            start -= 1
        starts[i] = start
    for start, end in zip(starts, [*starts[1:], len(doc)]):
        words = [token.text for token in doc[start:end] if not token.is_space]
        if words:
            yield words


def _opens(token: "Token") -> bool:
    return (token.is_quote or token.is_left_punct) and not token.whitespace_
