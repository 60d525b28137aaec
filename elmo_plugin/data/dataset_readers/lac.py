"""
The dataset reader for Chinese lexical analysis.
"""

import logging
from collections import Counter
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Tuple

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, TokenIndexer
from allennlp.data.fields import Field, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from elmo_plugin.data.characters import DEFAULT_MAX_CHARACTERS, half_width, sentences_of
from elmo_plugin.data.dataset_readers.columns import ColumnFormat, TaggedSentence
from elmo_plugin.data.dataset_readers.lines import matching_files
from elmo_plugin.data.dataset_readers.slashed import Paragraph, Word, slashed_paragraphs
from elmo_plugin.data.dataset_readers.whole_names import ClassedWord, classed_words
from elmo_plugin.data.fields.tags import TagsField
from elmo_plugin.data.tag_schemes import Span, check_scheme, spans_to_tags
from elmo_plugin.data.word_classes import class_table

logger = logging.getLogger(__name__)


@DatasetReader.register("elmo_lac")
class LacReader(DatasetReader):
    """
    Reads segmented text with parts of speech for a tagger of characters, which then finds words, their classes and
    names in one pass: each character has the tag of its place in its word and of the word's class, `B-n E-n S-v`.

    Text is written `word/tag` with names in brackets, as in the People's Daily corpus, or in CoNLL columns. What the
    tags become stands in `elmo_plugin/data/word_classes.py`. A name is one word: what a bracket holds, and a family
    name with its given name. Paragraphs are cut into sentences, as the predictor cuts raw text. Identifiers in front
    of lines, empty lines and what was joined are counted and logged.

    Registered as a `DatasetReader` with name "elmo_lac".

    ```jsonnet
    {
        "type": "elmo_lac",
        "tag_table": "pfr",
        "token_indexers": {"characters": {"type": "single_id"}, "elmo": {"type": "elmo_character_ids"}}
    }
    ```

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `{"tokens": SingleIdTokenIndexer()}`)
    columns : `Dict[str, Any]`, optional (default = `None`)
        For files in CoNLL columns: where words and tags stand, the arguments of `ColumnFormat`, such as
        `{"word_column": 1, "tag_column": 3}`. By default files hold `word/tag`.
    tag_table : `str`, optional (default = `"pfr"`)
        What tags become: `"pfr"`, `"upos"`, or `null` where the files' tags are the classes.
    more_tags : `Dict[str, str]`, optional (default = `None`)
        Classes of tags beside those of the table, or in place of some.
    join_names : `bool`, optional (default = `True`)
        Whether names of several words are one. Without it words stay as they are and brackets are ignored.
    half_width : `bool`, optional (default = `True`)
        Whether the tagger sees full-width digits and Latin letters, which the People's Daily has throughout, as those
        of ASCII, which raw text has. Words in the output keep theirs.
    max_characters : `int`, optional (default = `300`)
        Longer sentences are cut, at clause marks where there are some.
    tag_scheme : `str`, optional (default = `"BIOES"`)
        How places in words are written; give the model the same.
    """

    def __init__(
        self,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        columns: Optional[Dict[str, Any]] = None,
        tag_table: Optional[str] = "pfr",
        more_tags: Optional[Dict[str, str]] = None,
        join_names: bool = True,
        half_width: bool = True,
        max_characters: int = DEFAULT_MAX_CHARACTERS,
        tag_scheme: str = "BIOES",
        **kwargs,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        try:
            self._table = class_table(tag_table, more_tags)
            self._columns = None if columns is None else ColumnFormat(**columns)
            self._tag_scheme = check_scheme(tag_scheme)
        except (ValueError, TypeError) as error:
            raise ConfigurationError(f"The reader elmo_lac: {error}") from error
        if self._columns is not None and self._columns.tag_column is None:
            raise ConfigurationError(
                "The reader elmo_lac learns words from their tags, but tag_column in columns is null. Name the column "
                "of the tags; raw text is for the predictor elmo_lac."
            )
        if max_characters < 1:
            raise ConfigurationError(
                f"max_characters of the reader elmo_lac must be 1 or more, but it is {max_characters}."
            )
        self._token_indexers = {"tokens": SingleIdTokenIndexer()} if token_indexers is None else token_indexers
        self._join_names = join_names
        self._half_width = half_width
        self.max_characters = max_characters

    def _read(self, file_path: str) -> Iterable[Instance]:
        counts: Counter = Counter()
        for paragraph, words in self.shard_iterable(self._sentences(str(file_path), counts)):
            yield self._instance(paragraph, words)
        told = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()) if count > 0)
        logger.info("%s: %s.", file_path, told)

    def _sentences(self, pattern: str, counts: Counter) -> Iterator[Tuple[Paragraph, List[ClassedWord]]]:
        for path in matching_files(pattern):
            for paragraph in self._paragraphs(path, counts):
                words = classed_words(paragraph, self._table, self._join_names, counts)
                counts["paragraphs"] += 1
                counts["words"] += len(words)
                counts["words of nothing but white space left out"] += sum(word.text.isspace() for word in words)
                for sentence in sentences_of(words, self.max_characters):
                    yield paragraph, sentence

    def _paragraphs(self, path: str, counts: Counter) -> Iterator[Paragraph]:
        if self._columns is None:
            yield from slashed_paragraphs(path, counts)
            return
        for sentence in self._columns.sentences(path):
            words = [Word(word, tag) for word, tag in zip(sentence.words, sentence.tags, strict=True)]
            yield Paragraph(path, sentence.lines[0], words)

    def _instance(self, paragraph: Paragraph, words: List[ClassedWord]) -> Instance:
        characters: List[str] = []
        spans: List[Span] = []
        for word in words:
            start = len(characters)
            characters.extend(character for character in word.text if not character.isspace())
            spans.append(Span(word.word_class, start, len(characters)))
        tags = spans_to_tags(spans, len(characters), self._tag_scheme)
        place = {"file": paragraph.file, "line": paragraph.line}
        instance = self.text_to_instance(characters, metadata=place)
        source = TaggedSentence(paragraph.file, 0, characters, tags, [paragraph.line] * len(characters))
        instance.add_field("tags", TagsField(tags, instance["tokens"], self._tag_scheme, source))
        return instance

    def text_to_instance(  # type: ignore
        self,
        tokens: Sequence[str],
        tags: Optional[Sequence[str]] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Instance:
        """
        # Parameters

        tokens : the characters of a sentence, without white space.
        tags : their tags, in the scheme `tag_scheme`; none for prediction.
        metadata : what to keep beside the characters.

        # Returns

        An instance with the fields `tokens` (`TextField`, of half width where asked for), `metadata` (`MetadataField`:
        `words`, the characters as given, and what was given) and, where there are tags, `tags` (`TagsField`).
        """
        seen = [half_width(character) if self._half_width else character for character in tokens]
        text_field = TextField([Token(character) for character in seen])
        kept = {} if metadata is None else metadata
        fields: Dict[str, Field] = {"tokens": text_field, "metadata": MetadataField({"words": list(tokens), **kept})}
        if tags is not None:
            fields["tags"] = TagsField(list(tags), text_field, self._tag_scheme)
        return Instance(fields)

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["tokens"].token_indexers = self._token_indexers
