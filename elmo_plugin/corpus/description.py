"""What `corpus.json` says."""

from collections import Counter
from typing import Any, Dict, List, Sequence

from elmo_plugin.corpus.block_files import BlockFiles
from elmo_plugin.corpus.lines import ODDITIES
from elmo_plugin.corpus.merging import TypeTotals
from elmo_plugin.corpus.prepared import FORMAT_VERSION


def gather_facts(blocks: Sequence[BlockFiles]) -> Dict[str, Any]:
    """The facts of all blocks together."""
    facts: Dict[str, Any] = {"num_sentences": 0, "num_tokens": 0, "longest_sentence": 0, "oddities": Counter()}
    for block in blocks:
        of_block = block.facts()
        facts["num_sentences"] += of_block["num_sentences"]
        facts["num_tokens"] += of_block["num_tokens"]
        facts["longest_sentence"] = max(facts["longest_sentence"], of_block["longest_sentence"])
        facts["oddities"].update(of_block["oddities"])
    return facts


def what_was_odd(oddities: Dict[str, int]) -> str:
    """The oddities that were met, for a message."""
    met = ", ".join(f"{name}: {oddities[name]}" for name in ODDITIES if oddities[name] > 0)
    return f"met {met}." if met else "it is empty."


def describe(
    settings: Dict[str, Any],
    files: List[Dict[str, Any]],
    facts: Dict[str, Any],
    totals: TypeTotals,
    sizes: Dict[str, Dict[str, int]],
) -> Dict[str, Any]:
    """
    All of `corpus.json` but the hashes of the files beside it.

    # Parameters

    settings : `Dict[str, Any]`
        What the result depends on besides the input.
    files : `List[Dict[str, Any]]`
        Name, size and hash of each input.
    facts : `Dict[str, Any]`
        Of `gather_facts`.
    totals : `TypeTotals`
    sizes : `Dict[str, Dict[str, int]]`
        For each split, in the order of `totals`, its numbers of sentences, tokens and shards.
    """
    described = {}
    for i, (name, of_split) in enumerate(sizes.items()):
        described[name] = {
            **of_split,
            "out_of_vocabulary_tokens": int(totals.out_of_vocabulary[i]),
            "out_of_vocabulary_rate": float(totals.out_of_vocabulary[i]) / max(of_split["tokens"], 1),
            "tokens_cut_at_character_width": int(totals.cut_tokens[i]),
        }
    return {
        "format_version": FORMAT_VERSION,
        "settings": settings,
        "inputs": files,
        "sentences": facts["num_sentences"],
        "tokens": facts["num_tokens"],
        "types": totals.num_types,
        "vocabulary_size": totals.vocabulary_size,
        "longest_sentence": facts["longest_sentence"],
        "longest_token_bytes": totals.longest_token_bytes,
        "oddities": {name: facts["oddities"][name] for name in ODDITIES},
        "splits": described,
    }
