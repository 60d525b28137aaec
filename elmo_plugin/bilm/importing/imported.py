"""What every importer gives."""

from typing import NamedTuple, Optional, Tuple

from elmo_plugin.bilm.bilm import Bilm
from elmo_plugin.bilm.softmax import Softmax
from elmo_plugin.bilm.state import BilmState
from elmo_plugin.bilm.vocabulary import WordVocabulary


class ImportedBilm(NamedTuple):
    """
    kind : of source, in a few words.
    bilm : on the CPU.
    vocabulary : the words of the softmax, or of a model of word ids; `None` where the source has none.
    softmax : over `vocabulary`; `None` where the source has none.
    steady_state : `None` where the source has none.
    left_out : what the source holds and this does not, for people to read.
    """

    kind: str
    bilm: Bilm
    vocabulary: Optional[WordVocabulary] = None
    softmax: Optional[Softmax] = None
    steady_state: Optional[BilmState] = None
    left_out: Tuple[str, ...] = ()
