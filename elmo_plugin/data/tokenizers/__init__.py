"""Tokenizers."""

from elmo_plugin.data.tokenizers.blank_spacy import BlankSpacyTokenizer
