"""
How well one text answers a question that another is known to answer: exact match, F1 and Rouge-L, as published.
"""

import re
import string
from collections import Counter
from typing import List, Sequence

_ARTICLES = re.compile(r"\b(a|an|the)\b")
_PUNCTUATION = str.maketrans("", "", string.punctuation)

# The marks that CMRC 2018 leaves out of answers and separates words at.
_CHINESE_MARKS = "-:_*^/\\~`+=，。：？！“”；’《》·、「」（）－～『』"
_CHINESE_WORD = re.compile(rf"[\u4e00-\u9fa5{re.escape(_CHINESE_MARKS)}]|[^\W\u4e00-\u9fa5_]+|[^\s]")

# Lin (2004) leaves it open; this is what the Chinese reading comprehension tasks since DuReader use.
ROUGE_BETA = 1.2


def normalised_english(text: str) -> str:
    """As SQuAD's scores see an answer: lower case, no ASCII punctuation, no `a`, `an`, `the`, single spaces."""
    return " ".join(_ARTICLES.sub(" ", text.lower().translate(_PUNCTUATION)).split())


def english_exact_match(prediction: str, answer: str) -> float:
    return float(normalised_english(prediction) == normalised_english(answer))


def english_f1(prediction: str, answer: str) -> float:
    """
    Harmonic mean of the parts of each one's words that the other has too; a repeated word as often as both have it.
    """
    predicted, correct = normalised_english(prediction).split(), normalised_english(answer).split()
    return _f1(sum((Counter(predicted) & Counter(correct)).values()), len(predicted), len(correct))


def chinese_words(text: str) -> List[str]:
    """
    CMRC 2018's mixed segmentation: each character of the range U+4E00 to U+9FA5 is a word; what stands between is cut
    into runs of letters and digits and single marks; lower case, without CMRC's list of marks.

    (The published script cuts what stands between by NLTK's model, which is a download. The two differ in such as
    `3.5` or `don't`.)
    """
    return [word for word in _CHINESE_WORD.findall(text.lower()) if word not in _CHINESE_MARKS]


def chinese_exact_match(prediction: str, answer: str) -> float:
    """Equal in lower case without CMRC's list of marks."""
    return float(_without_marks(prediction) == _without_marks(answer))


def chinese_f1(prediction: str, answer: str) -> float:
    """
    CMRC 2018's F1: what counts as common is the longest run of words that both have, nothing between them.
    """
    predicted, correct = chinese_words(prediction), chinese_words(answer)
    return _f1(_longest_common_run(predicted, correct), len(predicted), len(correct))


def rouge_l(prediction: str, answer: str) -> float:
    """
    Rouge-L over `chinese_words`: with `P` and `R` the parts of the prediction and of the answer that their longest
    common subsequence is,

        (1 + beta^2) P R / (R + beta^2 P),   beta = 1.2
    """
    predicted, correct = chinese_words(prediction), chinese_words(answer)
    common = _longest_common_subsequence(predicted, correct)
    if common == 0:
        return 0.0
    precision, recall = common / len(predicted), common / len(correct)
    return (1 + ROUGE_BETA**2) * precision * recall / (recall + ROUGE_BETA**2 * precision)


def _without_marks(text: str) -> str:
    return "".join(character for character in text.lower().strip() if character not in _CHINESE_MARKS)


def _f1(num_common: int, num_predicted: int, num_correct: int) -> float:
    # The published scripts give 0 for two texts without a word, too.
    return 2 * num_common / (num_predicted + num_correct) if num_common > 0 else 0.0


def _longest_common_run(left: Sequence[str], right: Sequence[str]) -> int:
    best = 0
    # How long a run ends at this word of `left` and at each of `right`.
    lengths = [0] * (len(right) + 1)
    for word in left:
        lengths = [0] + [lengths[j] + 1 if word == other else 0 for j, other in enumerate(right)]
        best = max(best, max(lengths))
    return best


def _longest_common_subsequence(left: Sequence[str], right: Sequence[str]) -> int:
    # Of the words of `left` so far and the first j of `right`.
    lengths = [0] * (len(right) + 1)
    for word in left:
        row = [0]
        for j, other in enumerate(right):
            row.append(lengths[j] + 1 if word == other else max(row[j], lengths[j + 1]))
        lengths = row
    return lengths[-1]
