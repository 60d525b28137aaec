"""The model of reading comprehension that the ELMo paper used."""

from typing import Any, Dict, List, Optional

import torch
from allennlp.common import Lazy
from allennlp.common.checks import ConfigurationError
from allennlp.data import TextFieldTensors, Vocabulary
from allennlp.models import Model
from allennlp.modules import Seq2SeqEncoder, TextFieldEmbedder
from allennlp.modules.input_variational_dropout import InputVariationalDropout
from allennlp.modules.seq2seq_encoders import GruSeq2SeqEncoder
from allennlp.nn import InitializerApplicator
from allennlp.nn.util import get_text_field_mask
from torch import Tensor

from elmo_plugin.modules.mix_metrics import mix_metrics
from elmo_plugin.modules.output_mix import OutputMix
from elmo_plugin.modules.passage_attention import QuestionAttention, ResidualSelfAttention
from elmo_plugin.modules.passage_windows import PassageWindows, best_spans, check_none_empty, negative_log_likelihood
from elmo_plugin.training.metrics.answer_scores import AnswerScores

DEFAULT_ENCODER = Lazy(GruSeq2SeqEncoder, hidden_size=100, bidirectional=True)


@Model.register("bidaf_self_attention")
class BidafSelfAttention(Model):
    """
    Finds the answer to a question as a span of a passage: bidirectional attention flow with self-attention, in the form
    of Clark and Gardner (2018, arXiv:1710.10723), which Peters et al. (2018) added ELMo to.

        contextual_encoder     over question and passage, the same weights for both
        attention              of the passage on the question, both ways (`QuestionAttention`)
        self_attention_encoder and attention of the passage on itself, added to its input (`ResidualSelfAttention`)
        start_encoder          and a linear layer: scores of the first token
        end_encoder            over those encodings and the start's input, and a linear layer: scores of the last token

    A passage is embedded whole; from the contextual layer on it is read in windows. Scores of all windows of a question
    go through one softmax ("shared norm"), in training too, so they are comparable; a token that several windows have
    gets the sum of their probabilities. The loss is the mean over questions of

        -log sum of p(start) over the correct starts  -  log sum of p(end) over the correct ends,

    and the answer is the span with the greatest p(start) * p(end), which is its `probability`.

    Where it departs from Clark and Gardner: no tokens between the paragraphs of a document, for there is one passage;
    the windows of training are neighbours of the answer's, not sampled.

    ELMo stands among the token embedders. One with `num_output_representations: 2` is also added to the output of the
    contextual layer, by its second mix, from the same run of the biLM (`OutputMix`).

    Metrics: `em` and `f1`, in Chinese also `rouge_l` (`AnswerScores`), and at the end of each pass what `mix_metrics()`
    of a module tells.

    Registered as a `Model` with name "bidaf_self_attention".

    ```jsonnet
    {
        "type": "bidaf_self_attention",
        "text_field_embedder": {
            "token_embedders": {"words": {"type": "embedding", "embedding_dim": 32}}
        },
        "contextual_encoder": {"type": "gru", "hidden_size": 16, "bidirectional": true},
        "dropout": 0.2
    }
    ```

    # Parameters

    vocab : `Vocabulary`, required
    text_field_embedder : `TextFieldEmbedder`, required
    contextual_encoder, self_attention_encoder, start_encoder, end_encoder : `Lazy[Seq2SeqEncoder]`, optional
        (default = a bidirectional GRU of 100 units each way)
        Their `input_size` or `input_dim` is filled in.
    attention_dim : `int`, optional (default = the output of `contextual_encoder`)
        Width of what the attention on the question gives, and of the residual layer.
    dropout : `float`, optional (default = `0.2`)
        On the inputs of all encoders and attentions, variational: the same features for all tokens of a text.
    max_answer_length : `int`, optional (default = `30`)
        Tokens of the longest answer that is given.
    language : `str`, optional (default = `"en"`)
        How answers are compared: "en" or "zh".
    initializer : `InitializerApplicator`, optional
    """

    default_predictor = "elmo_reading_comprehension"

    def __init__(
        self,
        vocab: Vocabulary,
        text_field_embedder: TextFieldEmbedder,
        contextual_encoder: Lazy[Seq2SeqEncoder] = DEFAULT_ENCODER,
        self_attention_encoder: Lazy[Seq2SeqEncoder] = DEFAULT_ENCODER,
        start_encoder: Lazy[Seq2SeqEncoder] = DEFAULT_ENCODER,
        end_encoder: Lazy[Seq2SeqEncoder] = DEFAULT_ENCODER,
        attention_dim: Optional[int] = None,
        dropout: float = 0.2,
        max_answer_length: int = 30,
        language: str = "en",
        initializer: InitializerApplicator = InitializerApplicator(),
        **kwargs,
    ) -> None:
        super().__init__(vocab, **kwargs)
        if max_answer_length < 1:
            raise ConfigurationError(f"max_answer_length must be at least 1 token; it is {max_answer_length}.")
        self.max_answer_length = max_answer_length
        self.text_field_embedder = text_field_embedder
        self._mixes = OutputMix(text_field_embedder)
        self.dropout = InputVariationalDropout(dropout)

        self.contextual_encoder = _construct(contextual_encoder, self._mixes.input_dim)
        contextual_dim = self.contextual_encoder.get_output_dim()
        width = contextual_dim if attention_dim is None else attention_dim
        self.question_attention = QuestionAttention(contextual_dim + self._mixes.output_dim, width, dropout)
        self.self_attention = ResidualSelfAttention(_construct(self_attention_encoder, width), width, dropout)
        self.start_encoder = _construct(start_encoder, width)
        self.start_projection = torch.nn.Linear(self.start_encoder.get_output_dim(), 1)
        self.end_encoder = _construct(end_encoder, width + self.start_encoder.get_output_dim())
        self.end_projection = torch.nn.Linear(self.end_encoder.get_output_dim(), 1)

        self._scores = AnswerScores(language)
        initializer(self)

    def forward(  # type: ignore
        self,
        question: TextFieldTensors,
        passage: TextFieldTensors,
        windows: Tensor,
        answer_spans: Optional[Tensor] = None,
        metadata: Optional[List[Dict[str, Any]]] = None,
    ) -> Dict[str, Any]:
        """
        # Parameters

        question, passage : their tokens.
        windows : of the passages; first token and the one after the last, twice the same where there is none.
            Shape: (batch_size, num_slots, 2)
        answer_spans : of the passages; first and last token, -1 where there is none. Shape: (batch_size, num_spans, 2)
        metadata : as the reader `elmo_reading_comprehension` makes it.

        # Returns

        `span`, first and last token of the answer, shape (batch_size, 2); `probability`, shape (batch_size,); with
        metadata, for each question `id`, `answer` (its text) and `start` and `end` (its first character's place in the
        passage, and that after its last); with answer spans `loss`.

        # Raises

        `ConfigurationError` where a question or a passage has no token.
        """
        pieces = PassageWindows.of(windows, get_text_field_mask(passage))
        start_scores, end_scores = self._score(question, passage, pieces)
        log_starts, log_ends = pieces.log_probabilities(start_scores), pieces.log_probabilities(end_scores)
        spans, probabilities = best_spans(
            pieces.over_passages(log_starts), pieces.over_passages(log_ends), self.max_answer_length
        )
        output: Dict[str, Any] = {"span": spans, "probability": probabilities}
        if answer_spans is not None:
            correct_starts, correct_ends = pieces.span_ends(answer_spans)
            output["loss"] = negative_log_likelihood(log_starts, correct_starts) + negative_log_likelihood(
                log_ends, correct_ends
            )
        if metadata is not None:
            self._add_answers(output, metadata)
        return output

    def _score(self, question: TextFieldTensors, passage: TextFieldTensors, pieces: PassageWindows):
        """Scores of the first and the last token. Shapes: (num_windows, num_tokens), twice"""
        question_mask = get_text_field_mask(question)
        check_none_empty("question", question_mask)
        question_input, question_mix = self._mixes.split(self.text_field_embedder(question))
        passage_input, passage_mix = self._mixes.split(self.text_field_embedder(passage))

        encoded_question = self._contextualize(question_input, question_mask, question_mix)
        encoded_passage = self._contextualize(
            pieces.gather(passage_input),
            pieces.mask,
            None if passage_mix is None else pieces.gather(passage_mix),
        )
        attended = self.question_attention(
            encoded_passage, encoded_question[pieces.owners], pieces.mask, question_mask[pieces.owners]
        )
        modeled = self.self_attention(attended, pieces.mask)
        starts = self.start_encoder(self.dropout(modeled), pieces.mask)
        ends = self.end_encoder(self.dropout(torch.cat([modeled, starts], dim=-1)), pieces.mask)
        return self.start_projection(starts).squeeze(-1), self.end_projection(ends).squeeze(-1)

    def _contextualize(self, embedded: Tensor, mask: Tensor, mix: Optional[Tensor]) -> Tensor:
        encoded = self.contextual_encoder(self.dropout(embedded), mask)
        return encoded if mix is None else torch.cat([encoded, mix], dim=-1)

    def _add_answers(self, output: Dict[str, Any], metadata: List[Dict[str, Any]]) -> None:
        output.update({"id": [entry["id"] for entry in metadata], "answer": [], "start": [], "end": []})
        for entry, (first, last) in zip(metadata, output["span"].tolist(), strict=True):
            start, end = entry["offsets"][first][0], entry["offsets"][last][1]
            output["answer"].append(entry["passage"][start:end])
            output["start"].append(start)
            output["end"].append(end)
        self._scores(output["answer"], [entry["answers"] for entry in metadata])

    def get_metrics(self, reset: bool = False) -> Dict[str, float]:
        """The metrics so far; with `reset`, which a trainer asks for at the end of a pass, the mixes too."""
        metrics = self._scores.get_metric(reset)
        if reset:
            metrics.update(mix_metrics(self))
        return metrics


def _construct(encoder: Lazy[Seq2SeqEncoder], width: int) -> Seq2SeqEncoder:
    # Encoders call the same size by two names; each takes the one that it knows.
    return encoder.construct(input_size=width, input_dim=width)
