"""
SQuAD's layout in traditional Chinese script, such as DRCD, turned to the simplified one by OpenCC:

    pip install opencc
    python benchmarks/simplified_questions.py DRCD_dev.json simplified.json

For a biLM, and for questions such as CMRC 2018's, that are in simplified script.
"""

import json
import sys
from pathlib import Path
from typing import Any, Callable, Dict


def simplified(data: Dict[str, Any], convert: Callable[[str], str]) -> Dict[str, Any]:
    """
    Passages and questions converted; an answer that stands in its passage is what stands there afterwards, for a word
    by itself may be converted in another way.

    # Raises

    `ValueError` where a passage changes its length, so that the places of its answers would no longer be right.
    """
    articles = []
    for article in data["data"]:
        paragraphs = [_paragraph(paragraph, convert) for paragraph in article["paragraphs"]]
        articles.append({**article, "paragraphs": paragraphs})
    return {**data, "data": articles}


def _paragraph(paragraph: Dict[str, Any], convert: Callable[[str], str]) -> Dict[str, Any]:
    before = paragraph["context"]
    context = convert(before)
    if len(context) != len(before):
        raise ValueError(f"A passage of {len(before)} characters became one of {len(context)}: {before[:40]}…")
    questions = []
    for question in paragraph["qas"]:
        answers = []
        for answer in question["answers"]:
            start, end = answer["answer_start"], answer["answer_start"] + len(answer["text"])
            stands = before[start:end] == answer["text"]
            answers.append({**answer, "text": context[start:end] if stands else convert(answer["text"])})
        questions.append({**question, "question": convert(question["question"]), "answers": answers})
    return {**paragraph, "context": context, "qas": questions}


def main() -> None:
    if len(sys.argv) != 3:
        sys.exit("usage: python benchmarks/simplified_questions.py IN.json OUT.json")
    from opencc import OpenCC

    data = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    content = json.dumps(simplified(data, OpenCC("t2s").convert), ensure_ascii=False)
    Path(sys.argv[2]).write_text(content, encoding="utf-8")


if __name__ == "__main__":
    main()
