"""
The dataset reader for tagged text in columns.
"""

import logging
from typing import Any, Dict, Iterable, Iterator, List, Optional, Sequence, Union

from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, TokenIndexer, Tokenizer
from allennlp.data.fields import Field, MetadataField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from elmo_plugin.data.dataset_readers.columns import ColumnFormat, TaggedSentence
from elmo_plugin.data.dataset_readers.lines import matching_files
from elmo_plugin.data.fields.tags import TagsField
from elmo_plugin.data.tag_schemes import check_scheme, convert_tags, first_misfits, misfits
from elmo_plugin.data.tokenizers.blank_spacy import BlankSpacyTokenizer

logger = logging.getLogger(__name__)


@DatasetReader.register("elmo_tagging")
class TaggingReader(DatasetReader):
    """
    Reads tagged sentences in CoNLL columns: a word a line, an empty line between sentences. Tags may be written as
    BIO, IOB1, BIOES, BIOUL or BMES; they leave the reader in one scheme.

    Files may be `.gz`, start with a byte order mark, end lines with CRLF. A path may be a pattern of files. Whatever is
    wrong in a file is reported with its name and line; nothing is dropped in silence. Sentences are shared out among
    the workers of a data loader and among the processes of distributed training.

    A line with `-DOCSTART-` begins a document and ends a sentence. Each instance knows its document (`metadata`: `file`
    and `document`, its number there), and so does what the predictor writes of a file. Sentences leave in the file's
    order, so that a loader that neither shuffles nor sorts (`"data_loader": {"batch_size": 8}`) reads a document from
    its begin to its end. The embedder's default state makes a sentence's vectors its own, so nothing depends on that.

    Registered as a `DatasetReader` with name "elmo_tagging".

    ```jsonnet
    {
        "type": "elmo_tagging",
        "word_column": 0,
        "tag_column": -1,
        "separator": "\\t",
        "token_indexers": {"words": {"type": "single_id", "lowercase_tokens": true}}
    }
    ```

    # Parameters

    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `{"tokens": SingleIdTokenIndexer()}`)
    word_column : `int`, optional (default = `0`)
        The column of the words; negative indices count from the end.
    tag_column : `int`, optional (default = `-1`)
        The column of the tags. With `null` none is read, as for prediction on text without tags.
    separator : `str`, optional (default = `None`)
        What stands between columns, such as `"\\t"`; by default any run of spaces and tabs.
    comment_prefix : `str`, optional (default = `None`)
        Lines that begin with it are skipped; by default every line counts, since `#` may be a word.
    document_prefix : `str`, optional (default = `None`)
        Lines that begin with it begin a document too, such as `"# newdoc"`.
    source_scheme : `str`, optional (default = `None`)
        The scheme of the files' tags; by default it is found out, for which the files are read once more.
    tag_scheme : `str`, optional (default = `"BIO"`)
        The scheme of the instances' tags; give the model the same.
    repair_tags : `bool`, optional (default = `False`)
        Whether to accept tags that break the rules of `source_scheme` (an `I-` after `O` in BIO, say), as the spans
        that `tags_to_spans` reads in them, and to log how many; by default they are an error.
    tokenizer : `Tokenizer`, optional (default = `BlankSpacyTokenizer()`)
        Not used for files: with it the predictor cuts raw text. It stands here to be kept in the archive.
    """

    def __init__(
        self,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        word_column: int = 0,
        tag_column: Optional[int] = -1,
        separator: Optional[str] = None,
        comment_prefix: Optional[str] = None,
        document_prefix: Optional[str] = None,
        source_scheme: Optional[str] = None,
        tag_scheme: str = "BIO",
        repair_tags: bool = False,
        tokenizer: Optional[Tokenizer] = None,
        **kwargs,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        for name, scheme in (("source_scheme", source_scheme), ("tag_scheme", tag_scheme)):
            if scheme is not None:
                _check_scheme_argument(name, scheme)
        if repair_tags and source_scheme is None:
            raise ConfigurationError(
                "repair_tags needs source_scheme: the scheme of tags that break its rules can't be found out. Set "
                "source_scheme to the scheme that the files mean."
            )
        self._token_indexers = {"tokens": SingleIdTokenIndexer()} if token_indexers is None else token_indexers
        self._format = ColumnFormat(word_column, tag_column, separator, comment_prefix, document_prefix)
        self._source_scheme = source_scheme
        self._tag_scheme = tag_scheme
        self._repair_tags = repair_tags
        self.tokenizer = BlankSpacyTokenizer() if tokenizer is None else tokenizer

    def _read(self, file_path: str) -> Iterable[Instance]:
        files = matching_files(str(file_path))
        scheme = self._source_scheme
        if scheme is None and self._format.tag_column is not None:
            scheme = self._find_scheme(files)
        num_repaired = 0
        for sentence in self.shard_iterable(self._sentences(files)):
            if self._format.tag_column is None:
                yield self._instance(sentence, tags=None)
                continue
            num_repaired += self._check_tags(sentence, scheme)
            yield self._instance(sentence, tags=convert_tags(sentence.tags, scheme, self._tag_scheme))
        if num_repaired > 0:
            logger.warning(
                "%s: %d tags stand where %s does not allow them and were read as the spans that they suggest.",
                file_path,
                num_repaired,
                scheme,
            )

    def _sentences(self, files: Sequence[str]) -> Iterator[TaggedSentence]:
        for path in files:
            yield from self._format.sentences(path)

    def _find_scheme(self, files: Sequence[str]) -> str:
        """The scheme that all sentences of the files follow, the first of several."""
        found = first_misfits(sentence.tags for sentence in self._sentences(files))
        for scheme, place in found.items():
            if place is None:
                logger.info("The tags of %s are read as %s.", ", ".join(files), scheme)
                return scheme
        wanted = {sentence_index for sentence_index, _ in found.values()}
        sentences = {i: sentence for i, sentence in enumerate(self._sentences(files)) if i in wanted}
        reasons = [
            f"not {scheme}: {sentences[sentence_index].place(misfit.index)}: {misfit.reason}"
            for scheme, (sentence_index, misfit) in found.items()
        ]
        raise ConfigurationError(
            "The tags follow none of the known schemes:\n  "
            + "\n  ".join(reasons)
            + "\nCorrect the tags; or set source_scheme to the scheme that is meant and repair_tags to true; or, if "
            "these are no tags, set tag_column or separator."
        )

    def _check_tags(self, sentence: TaggedSentence, scheme: str) -> int:
        """How many tags break the scheme's rules; an error where they are not to be repaired, or can't be."""
        num_misfits = 0
        for misfit in misfits(sentence.tags, scheme):
            if not (misfit.repairable and self._repair_tags):
                repair = ", or repair_tags to true to read such tags as the spans that they suggest"
                raise ConfigurationError(
                    f"{sentence.place(misfit.index)}: {misfit.reason}. Correct the tag, set source_scheme to the "
                    f"scheme of the file, tag_column to its column{repair if misfit.repairable else ''}."
                )
            num_misfits += 1
        return num_misfits

    def _instance(self, sentence: TaggedSentence, tags: Optional[List[str]]) -> Instance:
        place = {"file": sentence.file, "line": sentence.lines[0], "document": sentence.document}
        source_tags = {} if tags is None else {"tags": sentence.tags}
        instance = self.text_to_instance(sentence.words, metadata={**source_tags, **place})
        if tags is not None:
            instance.add_field("tags", TagsField(tags, instance["tokens"], self._tag_scheme, sentence))
        return instance

    def text_to_instance(  # type: ignore
        self,
        tokens: Sequence[Union[str, Token]],
        tags: Optional[Sequence[str]] = None,
        metadata: Optional[Dict[str, Any]] = None,
    ) -> Instance:
        """
        # Parameters

        tokens : the words, as strings or with their places in a text.
        tags : their tags, in the scheme `tag_scheme`; none for prediction.
        metadata : what to keep beside the words.

        # Returns

        An instance with the fields `tokens` (`TextField`), `metadata` (`MetadataField`: `words` and what was given;
        for words from a file `tags` as written, `file`, `line` of the first word and `document`) and, where there
        are tags, `tags` (`TagsField` of namespace "labels").
        """
        text_field = TextField([Token(token) if isinstance(token, str) else token for token in tokens])
        words = [token.text for token in text_field.tokens]
        kept = {} if metadata is None else metadata
        fields: Dict[str, Field] = {"tokens": text_field, "metadata": MetadataField({"words": words, **kept})}
        if tags is not None:
            fields["tags"] = TagsField(list(tags), text_field, self._tag_scheme)
        return Instance(fields)

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["tokens"].token_indexers = self._token_indexers


def _check_scheme_argument(name: str, scheme: str) -> None:
    try:
        check_scheme(scheme)
    except ValueError as error:
        raise ConfigurationError(f"{name}: {error}") from error
