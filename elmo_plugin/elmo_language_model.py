"""A trained biLM as the language model that it is: perplexity, log-probabilities, substitutes."""

from pathlib import Path
from typing import Iterable, List, Optional, Tuple, Union

import torch

from elmo_plugin.bilm.batches import Batching
from elmo_plugin.bilm.embedding import CACHED_WORDS, Sentence, SentenceReader, steady_state_of
from elmo_plugin.bilm.scoring import LogProbabilities, Perplexity, SentenceScorer
from elmo_plugin.bilm.sidecar import FILE_NAME, load_sidecar
from elmo_plugin.bilm.state_policy import STEADY
from elmo_plugin.bilm.vocabulary import WordVocabulary
from elmo_plugin.bilm.weights import load_bilm
from elmo_plugin.elmo_embedder import checked_sentence, choose_device, moved


class ElmoLanguageModel:
    """
    A biLM with its softmax:

        from elmo_plugin import ElmoLanguageModel

        model = ElmoLanguageModel.from_export("my/elmo")
        model.perplexity("He said so .\\nNobody heard .").mean
        model.log_probabilities("He said so .".split()).forward_
        model.substitutes("He said so .".split(), position=1)

    Every sentence is read as an embedder reads it, from the state before it that the scorer's reader names; the streams
    that `allennlp evaluate` reads carry theirs on, so its perplexity is a little other.

    # Parameters

    scorer : biLM, softmax and vocabulary.
    """

    def __init__(self, scorer: SentenceScorer) -> None:
        self.scorer = scorer

    @classmethod
    def from_export(
        cls,
        directory: Union[str, Path],
        state: str = STEADY,
        cuda_device: int = -1,
        device: Optional[Union[str, torch.device]] = None,
        cached_words: int = CACHED_WORDS,
    ) -> "ElmoLanguageModel":
        """
        What `elmo-export` wrote.

        # Raises

        `ValueError` where there is no sidecar, or no softmax in it; errors of the other files.
        """
        folder = Path(directory)
        bilm = load_bilm(folder / "options.json", folder / "weights.hdf5")
        has_sidecar = (folder / FILE_NAME).is_file()
        softmax = load_sidecar(folder / FILE_NAME, bilm.options).softmax if has_sidecar else None
        if softmax is None:
            raise ValueError(
                f"{folder / FILE_NAME} {'holds no softmax' if has_sidecar else 'is not there'}, so this biLM can embed "
                f"words but not predict them. Give the folder of an export, or an archive of a language model."
            )
        vocabulary = WordVocabulary.from_file(folder / "vocabulary.txt")
        steady = steady_state_of(bilm, folder / "weights.hdf5") if state == STEADY else None
        words = vocabulary if bilm.options.char_cnn is None else None
        reader = SentenceReader(moved(bilm, choose_device(cuda_device, device)), state, steady, words, cached_words)
        return cls(SentenceScorer(reader, softmax, vocabulary))

    @classmethod
    def from_archive(
        cls,
        archive_file: str,
        state: str = STEADY,
        cuda_device: int = -1,
        device: Optional[Union[str, torch.device]] = None,
        cached_words: int = CACHED_WORDS,
    ) -> "ElmoLanguageModel":
        """
        The `model.tar.gz` of a language model. Needs AllenNLP.

        # Raises

        `ValueError` where it holds no softmax.
        """
        from elmo_plugin.models.archived_bilm import load_archived_bilm

        found = load_archived_bilm(archive_file, needs_steady=state == STEADY)
        if found.softmax is None or found.vocabulary is None:
            raise ValueError(
                f"{archive_file} holds a biLM that embeds words but no softmax to predict them. Give an archive of a "
                f"language model, as training_configs/bilm.jsonnet trains it."
            )
        words = found.vocabulary if found.bilm.options.char_cnn is None else None
        bilm = moved(found.bilm.requires_grad_(False), choose_device(cuda_device, device))
        reader = SentenceReader(bilm, state, found.steady, words, cached_words)
        return cls(SentenceScorer(reader, found.softmax, found.vocabulary))

    def perplexity(self, text: Union[str, Iterable[Sentence]], batching: Batching = Batching()) -> Perplexity:
        """
        # Parameters

        text : sentences of words, or a string of one tokenised sentence a line; its blank lines are none.

        # Raises

        `ValueError` where a sentence is a string, or there is none.
        """
        if isinstance(text, str):
            text = [line.split() for line in text.splitlines() if line.split()]
        return self.scorer.perplexity((checked_sentence(sentence) for sentence in text), batching)

    def log_probabilities(self, sentence: Sentence) -> LogProbabilities:
        """Of each word of a sentence, in both directions."""
        return self.scorer.log_probabilities([checked_sentence(sentence)])[0][0]

    def substitutes(self, sentence: Sentence, position: int, count: int = 10) -> List[Tuple[str, float]]:
        """The words that would fit best in the place of a word; see `SentenceScorer.substitutes`."""
        return self.scorer.substitutes(checked_sentence(sentence), position, count)
