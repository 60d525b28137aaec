"""
Some of the questions of SQuAD's or CMRC 2018's files, evenly spaced over all of them, in one file:

    python benchmarks/sample_questions.py 1500 sample.json train.json

For a machine that can't learn from all: the first so many would be those of a few articles.
"""

import json
import sys
from pathlib import Path
from typing import Any, Dict, List


def passages_of(data: Any) -> List[Dict[str, Any]]:
    """Those of SQuAD's layout, articles of paragraphs, or of CMRC 2018's, a list of passages; each has its `qas`."""
    if isinstance(data, dict):
        return [paragraph for article in data["data"] for paragraph in article["paragraphs"]]
    return data


def sample(passages: List[Dict[str, Any]], count: int) -> List[Dict[str, Any]]:
    """The passages that keep a question, with the questions that they keep."""
    num_questions = sum(len(passage["qas"]) for passage in passages)
    if not 1 <= count <= num_questions:
        sys.exit(f"There are {num_questions} questions; expected a number from 1 to that, but it is {count}.")
    kept = {number * num_questions // count for number in range(count)}
    number, chosen = 0, []
    for passage in passages:
        questions = [question for offset, question in enumerate(passage["qas"]) if number + offset in kept]
        number += len(passage["qas"])
        if questions:
            chosen.append({**passage, "qas": questions})
    return chosen


def main() -> None:
    if len(sys.argv) < 4 or not sys.argv[1].isdigit():
        sys.exit("usage: python benchmarks/sample_questions.py COUNT OUT.json IN.json...")
    read = [json.loads(Path(path).read_text(encoding="utf-8")) for path in sys.argv[3:]]
    chosen = sample([passage for data in read for passage in passages_of(data)], int(sys.argv[1]))
    is_squad = isinstance(read[0], dict)
    content = {"data": [{"title": "sample", "paragraphs": chosen}]} if is_squad else chosen
    Path(sys.argv[2]).write_text(json.dumps(content, ensure_ascii=False), encoding="utf-8")
    print(f"{sys.argv[1]} questions about {len(chosen)} passages")


if __name__ == "__main__":
    main()
