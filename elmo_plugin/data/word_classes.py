"""
The classes of words that lexical analysis tells apart, and what the tags of corpora become.

| class | words                                   | PFR tags  | UPOS tags        |
|-------|-----------------------------------------|-----------|------------------|
| n     | nouns                                   | n Ng na   | NOUN             |
| nz    | other proper nouns, foreign letters     | nz nx     | PROPN            |
| s     | places in general                       | s         |                  |
| f     | directions and positions                | f         |                  |
| v     | verbs                                   | v Vg      | VERB AUX         |
| vd    | verbs used as adverbs                   | vd        |                  |
| vn    | verbs used as nouns                     | vn vvn    |                  |
| a     | adjectives                              | a Ag z    | ADJ              |
| ad    | adjectives used as adverbs              | ad        |                  |
| an    | adjectives used as nouns                | an        |                  |
| b     | words that only modify nouns            | b Bg      |                  |
| d     | adverbs                                 | d Dg      | ADV              |
| m     | numbers                                 | m Mg      | NUM              |
| q     | measure words                           | q Qg      |                  |
| r     | pronouns                                | r Rg      | PRON DET         |
| p     | prepositions                            | p         | ADP              |
| c     | conjunctions                            | c         | CCONJ SCONJ CONJ |
| u     | particles                               | u         | PART             |
| i     | idioms and fixed phrases                | i l       |                  |
| j     | abbreviations                           | j         |                  |
| xc    | modal words, exclamations, sounds, affixes | y Yg e o h k | INTJ X     |
| w     | punctuation                             | w         | PUNCT SYM        |
| PER   | people                                  | nr        |                  |
| LOC   | places with a name                      | ns        |                  |
| ORG   | organisations                           | nt        |                  |
| TIME  | times                                   | t Tg      |                  |

`TABLES` is this table in another order; a test holds the two together. PFR is the tag set of Peking University's
People's Daily corpus, whose tags of two letters with a capital are single morphemes of a class; `na` and `vvn` are
slips of its January 1998. UPOS is that of Universal Dependencies, which has no names of people, places, organisations
or times.
"""

from typing import Dict, Mapping, Optional

# Classes whose brackets in a corpus are one name.
NAMES = ("PER", "LOC", "ORG", "TIME")

_PFR = {
    "n": "n Ng na",
    "nz": "nz nx",
    "s": "s",
    "f": "f",
    "v": "v Vg",
    "vd": "vd",
    "vn": "vn vvn",
    "a": "a Ag z",
    "ad": "ad",
    "an": "an",
    "b": "b Bg",
    "d": "d Dg",
    "m": "m Mg",
    "q": "q Qg",
    "r": "r Rg",
    "p": "p",
    "c": "c",
    "u": "u",
    "i": "i l",
    "j": "j",
    "xc": "y Yg e o h k",
    "w": "w",
    "PER": "nr",
    "LOC": "ns",
    "ORG": "nt",
    "TIME": "t Tg",
}
_UPOS = {
    "n": "NOUN",
    "nz": "PROPN",
    "v": "VERB AUX",
    "a": "ADJ",
    "d": "ADV",
    "m": "NUM",
    "r": "PRON DET",
    "p": "ADP",
    "c": "CCONJ SCONJ CONJ",
    "u": "PART",
    "xc": "INTJ X",
    "w": "PUNCT SYM",
}


def _by_tag(by_class: Mapping[str, str]) -> Dict[str, str]:
    return {tag: word_class for word_class, tags in by_class.items() for tag in tags.split()}


TABLES: Dict[str, Dict[str, str]] = {"pfr": _by_tag(_PFR), "upos": _by_tag(_UPOS)}


def class_table(name: Optional[str], more: Optional[Mapping[str, str]] = None) -> Optional[Dict[str, str]]:
    """
    What each tag of a corpus becomes.

    # Parameters

    name : `"pfr"` or `"upos"`; `None` for tags that are classes already, whatever they are.
    more : tags beside those of the table, or in place of some; where `name` is `None`, all there are.

    # Returns

    A dictionary, or `None` where every tag is its own class.

    # Raises

    `ValueError` where there is no table of that name.
    """
    if name is None:
        return None if more is None else dict(more)
    if name not in TABLES:
        raise ValueError(f"There is no table of tags {name!r}; there are {', '.join(TABLES)}.")
    return {**TABLES[name], **({} if more is None else more)}
