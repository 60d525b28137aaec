"""Which flags of `allennlp elmo` go together."""

import argparse
import os
from typing import List

from elmo_plugin.bilm.embedding import ALL
from elmo_plugin.bilm.state_policy import STATEFUL, STEADY

STANDARD_INPUT = "-"
TOKEN_EMBEDDINGS = "token embeddings"
HDF5, PARQUET, STORE = "hdf5", "parquet", "store"


def check_flags(args: argparse.Namespace) -> None:
    """
    # Raises

    `ValueError` for flags that do not go together.
    """
    files = [args.options_file, args.weight_file]
    if args.archive is not None:
        given = _given(args, ["options_file", "weight_file", "sidecar_file", "vocabulary_file"])
        if given:
            raise ValueError(
                f"--archive holds all of a biLM, so {given} can't be given with it. Leave one or the other out."
            )
    if files.count(None) == 1:
        missing = "--options-file" if args.options_file is None else "--weight-file"
        raise ValueError(f"Give --options-file and --weight-file together; {missing} is missing.")
    if args.form == TOKEN_EMBEDDINGS:
        given = _given(
            args,
            ["state", "batch_size", "token_budget", "sidecar_file", "forget_sentences", "use_sentence_keys", "format"]
            + ["processes", "invariant"],
        )
        if given:
            raise ValueError(
                f"--token-embeddings reads words out of context, so {given} would change nothing. Leave it out."
            )
    elif args.forget_sentences and args.use_sentence_keys:
        raise ValueError(
            "--use-sentence-keys keeps the sentences as names and writes no sentence_to_index, so "
            "--forget-sentences can't "
            "be given with it. Leave one of them out."
        )
    if args.state == STATEFUL and args.token_budget is not None:
        raise ValueError(
            "--token-budget sorts sentences by length, but --state stateful reads them in their order. Give "
            "--batch-size, or "
            "another --state."
        )
    _check_format(args)
    _check_processes(args)
    if args.state not in (None, STEADY) and args.sidecar_file is not None:
        raise ValueError(
            f"--sidecar-file holds the steady state, which --state {args.state} does not use. Leave one of them out."
        )
    if args.input_file != STANDARD_INPUT and os.path.realpath(args.input_file) == os.path.realpath(args.output_file):
        raise ValueError(f"INPUT and OUTPUT are both {args.input_file}. Give another name for the output.")


def _check_format(args: argparse.Namespace) -> None:
    if args.format == STORE:
        given = _given(args, ["forget_sentences", "use_sentence_keys"])
        if given:
            raise ValueError(
                f"--format store finds sentences by their words, so {given} would change nothing. Leave it out."
            )
        if args.form != ALL:
            raise ValueError(
                f"--format store keeps all layers, so that their mix can be learnt. Give --all, not --{args.form}."
            )
    if args.format == PARQUET and args.use_sentence_keys:
        raise ValueError(
            "--format parquet has sentences as a column, so --use-sentence-keys would change nothing. Leave it out."
        )


def _check_processes(args: argparse.Namespace) -> None:
    several = len(args.cuda_device) > 1
    if args.processes is not None and args.processes < 1:
        raise ValueError(f"--processes must be at least 1, but it is {args.processes}.")
    if args.processes is not None and (several or args.cuda_device[0] >= 0):
        raise ValueError(
            "--processes share the CPU; of GPUs each has a process. Give --cuda-device several numbers instead, as 0,1."
        )
    if several and (min(args.cuda_device) < 0 or len(set(args.cuda_device)) < len(args.cuda_device)):
        raise ValueError(
            f"Several numbers of --cuda-device must be those of different GPUs, but they are "
            f"{','.join(map(str, args.cuda_device))}. On the CPU, give --processes."
        )
    if args.form == TOKEN_EMBEDDINGS and several:
        raise ValueError("--token-embeddings runs in one process. Give one --cuda-device.")
    if args.state == STATEFUL and (several or (args.processes or 1) > 1):
        raise ValueError(
            "--state stateful reads every sentence after the one before, which several processes can't. Give one "
            "process and "
            "one --cuda-device, or another --state."
        )


def _given(args: argparse.Namespace, names: List[str]) -> str:
    """The flags of these that were given."""
    return ", ".join(f"--{name.replace('_', '-')}" for name in names if getattr(args, name) not in (None, False))
