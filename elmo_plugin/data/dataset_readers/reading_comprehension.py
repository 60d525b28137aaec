"""
The dataset reader for questions on passages.
"""

import logging
from typing import Dict, Iterable, Iterator, List, NamedTuple, Optional, Sequence, Tuple

import torch
from allennlp.common.checks import ConfigurationError
from allennlp.data import DatasetReader, Instance, Token, TokenIndexer, Tokenizer
from allennlp.data.fields import Field, MetadataField, TensorField, TextField
from allennlp.data.token_indexers import SingleIdTokenIndexer

from elmo_plugin.data.dataset_readers import question_counts as counts
from elmo_plugin.data.dataset_readers.answers import locate, to_tokens
from elmo_plugin.data.dataset_readers.lines import matching_files
from elmo_plugin.data.dataset_readers.question_counts import QuestionCounts
from elmo_plugin.data.dataset_readers.questions import Answer, Question, read_questions
from elmo_plugin.data.dataset_readers.windows import Span, Window, choose, cut
from elmo_plugin.data.tokenizers.blank_spacy import BlankSpacyTokenizer

logger = logging.getLogger(__name__)


class Passage(NamedTuple):
    """
    text, field : the passage, and its tokens.
    offsets : of each token its first character and the one after its last.
    """

    text: str
    field: TextField
    offsets: List[Tuple[int, int]]


@DatasetReader.register("elmo_reading_comprehension")
class ReadingComprehensionReader(DatasetReader):
    """
    Reads questions on passages, whose answers are spans of them: JSON in the layout of SQuAD 1.1 (DRCD has it too) or
    of CMRC 2018. Files may be `.gz` or `.xz`; a path may be a pattern of files.

    A passage of any length is one instance with windows, `window` tokens each, one beginning every `stride` tokens.
    The model reads all windows of a question together, so that their scores are comparable. For training
    (`training: true`) an instance has the windows that hold an answer and their neighbours, `max_windows` in all, and
    only their part of the passage; otherwise it has all windows.

    An answer that does not stand where the file says is looked for in the passage and taken at the place nearest to
    the file's; one that begins or ends inside of a token is widened to whole tokens. Both are counted. Questions that
    nothing can be learned from are left out in training: those without an answer, with one that is nowhere in the
    passage or longer than a window. Otherwise these stay, for a metric compares texts. Empty passages and empty
    questions are always left out. Whatever is left out is counted and reported, with the place of the first.

    Registered as a `DatasetReader` with name "elmo_reading_comprehension".

    ```jsonnet
    {
        "type": "elmo_reading_comprehension",
        "training": true,
        "tokenizer": {"type": "elmo_spacy", "language": "en"},
        "token_indexers": {"words": {"type": "single_id", "lowercase_tokens": true}}
    }
    ```

    # Parameters

    tokenizer : `Tokenizer`, optional (default = `BlankSpacyTokenizer()`)
        Its tokens must know their places (`idx` and `idx_end`). For Chinese: "elmo_chinese_characters".
    token_indexers : `Dict[str, TokenIndexer]`, optional (default = `{"tokens": SingleIdTokenIndexer()}`)
    training : `bool`, optional (default = `False`)
        Whether the instances are to be learned from. A configuration needs two readers: this as `dataset_reader`, and
        one without it as `validation_dataset_reader`, which archives and predictors use too.
    window : `int`, optional (default = `400`)
        Tokens in a window. Time and memory of self-attention grow with its square.
    stride : `int`, optional (default = `200`)
        Tokens from the beginning of a window to that of the next. Answers up to `window - stride` tokens long are whole
        in some window wherever they stand.
    max_windows : `int`, optional (default = `2`)
        In training, the windows of a question, if those that hold an answer are not more.
    """

    def __init__(
        self,
        tokenizer: Optional[Tokenizer] = None,
        token_indexers: Optional[Dict[str, TokenIndexer]] = None,
        training: bool = False,
        window: int = 400,
        stride: int = 200,
        max_windows: int = 2,
        **kwargs,
    ) -> None:
        super().__init__(manual_distributed_sharding=True, manual_multiprocess_sharding=True, **kwargs)
        if not 1 <= stride <= window:
            raise ConfigurationError(
                f"stride must be from 1 to window ({window}), or tokens between windows are never read; it is {stride}."
            )
        if max_windows < 1:
            raise ConfigurationError(f"max_windows must be at least 1, the window of the answer; it is {max_windows}.")
        self.tokenizer = BlankSpacyTokenizer() if tokenizer is None else tokenizer
        self._token_indexers = {"tokens": SingleIdTokenIndexer()} if token_indexers is None else token_indexers
        self._training = training
        self._window = window
        self._stride = stride
        self._max_windows = max_windows

    def _read(self, file_path: str) -> Iterable[Instance]:
        met, num_kept = QuestionCounts(), 0
        # The questions of a passage share one field, and so its indices.
        passage = None
        for question in self.shard_iterable(self._questions(str(file_path))):
            met.num_questions += 1
            if passage is None or question.passage != passage.text:
                passage = self._passage(question.passage)
            instance = self._instance(question, passage, met)
            if instance is not None:
                num_kept += 1
                yield instance
        self._report(str(file_path), met, num_kept)

    def _questions(self, file_path: str) -> Iterator[Question]:
        for path in matching_files(file_path):
            yield from read_questions(path)

    def _tokens(self, text: str) -> List[Token]:
        tokens = self.tokenizer.tokenize(text)
        for token in tokens:
            if token.idx is None or token.idx_end is None:
                raise ConfigurationError(
                    f"The tokenizer gives the token {token.text!r} without its place in the text "
                    f'(`idx` and `idx_end`), so no answer can be found. Use "elmo_spacy", or for Chinese '
                    '"elmo_chinese_characters".'
                )
        return tokens

    def _passage(self, text: str) -> Passage:
        field = TextField(self._tokens(text))
        return Passage(text, field, [(token.idx, token.idx_end) for token in field.tokens])

    def _instance(self, question: Question, passage: Passage, met: QuestionCounts) -> Optional[Instance]:
        if not passage.offsets:
            met.add(counts.EMPTY_PASSAGE, question)
            return None
        tokens = self._tokens(question.question)
        if not tokens:
            met.add(counts.EMPTY_QUESTION, question)
            return None
        if not question.answers:
            met.add(counts.NO_ANSWER, question)
        spans = self._spans(question, passage, met)
        if self._training and not spans:
            return None
        return self._fields(question, tokens, passage, spans)

    def _spans(self, question: Question, passage: Passage, met: QuestionCounts) -> List[Span]:
        """
        The answers' first and last tokens, each span once. What is the matter with the answers is counted once a
        question, and that one was not found only if none was.
        """
        spans, remarks = set(), set()
        for answer in question.answers:
            location = locate(passage.text, answer)
            span = None if location is None else to_tokens(location.start, location.end, passage.offsets)
            if span is None:
                remarks.add(counts.NOT_FOUND)
            elif span.last - span.first >= self._window:
                remarks.add(counts.TOO_LONG)
            else:
                spans.add((span.first, span.last))
                remarks.update([counts.REPAIRED] * location.is_repaired + [counts.WIDENED] * span.is_widened)
        remarks -= {counts.NOT_FOUND, counts.TOO_LONG} if spans else set()
        for remark in sorted(remarks):
            met.add(remark, question)
        return sorted(spans)

    def _fields(self, question: Question, tokens: List[Token], passage: Passage, spans: List[Span]) -> Instance:
        windows = cut(len(passage.offsets), self._window, self._stride)
        if self._training:
            windows = choose(windows, spans, self._window, self._max_windows)
            passage, windows, spans = _trimmed(passage, windows, spans)
        fields: Dict[str, Field] = {
            "question": TextField(tokens),
            "passage": passage.field,
            "windows": TensorField(_pairs(windows), padding_value=0),
            "answer_spans": TensorField(_pairs(spans), padding_value=-1),
            "metadata": MetadataField(
                {
                    "id": question.id,
                    "question": question.question,
                    "passage": passage.text,
                    "offsets": passage.offsets,
                    "answers": list(dict.fromkeys(answer.text for answer in question.answers)),
                }
            ),
        }
        return Instance(fields)

    def text_to_instance(  # type: ignore
        self, question: str, passage: str, answers: Sequence[Answer] = (), id: str = ""
    ) -> Instance:
        """
        # Parameters

        question, passage : texts.
        answers : the correct answers, if they are known.
        id : the question's name, kept in the metadata.

        # Returns

        An instance with the fields `question` and `passage` (`TextField`), `windows` (`TensorField`, of shape
        (number of windows, 2): first token and the one after the last), `answer_spans` (`TensorField`, of shape (number
        of spans, 2): first and last token) and `metadata`: `id`, `question` and `passage` (texts), `offsets` (of each
        token of the passage its first character and the one after its last) and `answers` (texts).

        # Raises

        `ConfigurationError` where passage or question has no token, or, for training, nothing can be learned from it.
        """
        met = QuestionCounts()
        asked = Question(id, question, passage, tuple(answers), place="")
        instance = self._instance(asked, self._passage(passage), met)
        if instance is None:
            raise ConfigurationError(f"The question {question[:80]!r} has {met.reasons[0]}. Leave it out.")
        return instance

    def apply_token_indexers(self, instance: Instance) -> None:
        instance["question"].token_indexers = self._token_indexers
        instance["passage"].token_indexers = self._token_indexers

    def _report(self, file_path: str, met: QuestionCounts, num_kept: int) -> None:
        kept_reasons = (counts.REPAIRED, counts.WIDENED)
        if not self._training:
            kept_reasons += (counts.NO_ANSWER, counts.NOT_FOUND, counts.TOO_LONG)
        left_out, kept = (f"{'; '.join(lines)}." for lines in met.messages(kept_reasons))
        if kept != ".":
            logger.info("%s: of %d questions, all of these kept: %s", file_path, met.num_questions, kept)
        if left_out != ".":
            message = "%s: of %d questions these were left out, and no score counts them: %s"
            logger.warning(message, file_path, met.num_questions, left_out)
        # A worker's share may well be empty.
        if num_kept == 0 and self.get_worker_info() is None and self.get_distributed_info() is None:
            purpose = "learn from" if self._training else "answer"
            raise ConfigurationError(
                f"{file_path} has no question to {purpose}: of {met.num_questions} in it "
                f"{left_out if left_out != '.' else 'none are left.'} Give another file, or correct it."
            )


def _pairs(pairs: Sequence[Tuple[int, int]]) -> torch.Tensor:
    """Shape: (number of pairs, 2)"""
    return torch.tensor(pairs, dtype=torch.long).reshape(-1, 2)


def _trimmed(passage: Passage, windows: List[Window], spans: List[Span]) -> Tuple[Passage, List[Window], List[Span]]:
    """The part of a passage that its windows cover, and windows and spans counted from its beginning."""
    begin, end = windows[0][0], max(last for _, last in windows)
    if (begin, end) != (0, len(passage.offsets)):
        passage = Passage(passage.text, TextField(passage.field.tokens[begin:end]), passage.offsets[begin:end])
    inside = [(first - begin, last - begin) for first, last in spans if begin <= first and last < end]
    return passage, [(first - begin, last - begin) for first, last in windows], inside
