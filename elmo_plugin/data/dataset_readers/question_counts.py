"""
What a reader of questions met that was not in order, for its report.
"""

from typing import Dict, List, Tuple

from elmo_plugin.data.dataset_readers.questions import Question

EMPTY_PASSAGE = "an empty passage"
EMPTY_QUESTION = "an empty question"
NO_ANSWER = "no answer"
NOT_FOUND = "an answer that is not in the passage"
TOO_LONG = "an answer that is longer than a window"
REPAIRED = "an answer at another place than the file says, and were put right"
WIDENED = "an answer that begins or ends inside of a token, and were widened to whole tokens"


class QuestionCounts:
    """Counts questions by what is the matter with them, and keeps where each kind was met first."""

    def __init__(self) -> None:
        self.num_questions = 0
        self._counts: Dict[str, int] = {}
        self._first: Dict[str, str] = {}

    def add(self, reason: str, question: Question) -> None:
        self._counts[reason] = self._counts.get(reason, 0) + 1
        self._first.setdefault(reason, question.place)

    @property
    def reasons(self) -> List[str]:
        return list(self._counts)

    def messages(self, kept: Tuple[str, ...]) -> Tuple[List[str], List[str]]:
        """
        Sentences on the questions that were left out, and on those that were kept all the same.

        # Parameters

        kept : the reasons for which no question is left out.
        """
        lines: Tuple[List[str], List[str]] = ([], [])
        for reason, count in self._counts.items():
            lines[reason in kept].append(f"{count} had {reason} (first: {self._first[reason]})")
        return lines
