"""
The field of a sentence's tags.
"""

from typing import List, Optional

from allennlp.common.checks import ConfigurationError
from allennlp.data import Vocabulary
from allennlp.data.fields import SequenceLabelField, TextField

from elmo_plugin.data.dataset_readers.columns import TaggedSentence


class TagsField(SequenceLabelField):
    """
    A `SequenceLabelField` of namespace "labels" that says where a tag stands which the vocabulary does not have; the
    base class raises a bare `KeyError`.

    # Parameters

    labels : the tags.
    sequence_field : the words.
    source : the sentence as it stands in its file; `None` for tags from elsewhere.
    """

    __slots__ = ["source"]

    def __init__(self, labels: List[str], sequence_field: TextField, source: Optional[TaggedSentence] = None) -> None:
        super().__init__(labels, sequence_field)
        self.source = source

    def index(self, vocab: Vocabulary) -> None:
        known = vocab.get_token_to_index_vocabulary(self._label_namespace)
        for index, label in enumerate(self.labels):
            if label not in known:
                place = f"word {index + 1}" if self.source is None else self.source.place(index)
                raise ConfigurationError(
                    f"{place}: the tag {label!r} is not one of the {len(known)} that the model knows, which come from "
                    f"the files its vocabulary was made of. Correct the tag, leave its sentence out, or train anew with "
                    f'"vocabulary": {{"tokens_to_add": {{"{self._label_namespace}": ["{label}"]}}}}.'
                )
        super().index(vocab)
