"""Which of the errors that end a command are about the user's input, and what to say of them."""

import re
from json import JSONDecodeError
from typing import Optional

from allennlp.common.checks import ConfigurationError

FILE_ERRORS = (FileNotFoundError, IsADirectoryError, NotADirectoryError, PermissionError)
EXPLAINED = (ConfigurationError, *FILE_ERRORS, JSONDecodeError, UnicodeDecodeError, TypeError, RuntimeError)
# How the messages of the Jsonnet library begin, which raises RuntimeError whatever is wrong.
JSONNET_ERRORS = ("STATIC ERROR", "RUNTIME ERROR")
# How torch begins to say that there is no GPU.
GPU_ERRORS = ("Found no NVIDIA driver", "No CUDA GPUs are available")
# What AllenNLP says of a value in a configuration.
WRONG_KIND = re.compile(r"Expected \w+ to be (a int|a bool|a string|numeric)\.$")
SHOWN_CHARACTERS = 60


def explanation(error: Exception) -> Optional[str]:
    """
    What to say of an error that the user's input brings about, `None` of any other: a fault of the program deserves its
    traceback.

    AllenNLP lets pass what files, JSON, Jsonnet and constructors say of a configuration.

    # Parameters

    error : `Exception`
        Of one of the classes `EXPLAINED`.
    """
    if isinstance(error, (ConfigurationError, *FILE_ERRORS)):
        return str(error)
    if isinstance(error, JSONDecodeError):
        return f"Expected JSON, found {error.doc[:SHOWN_CHARACTERS]!r}: {error}."
    if isinstance(error, UnicodeDecodeError):
        return f"An input file is no text in UTF-8 ({error}). Convert it, for example: iconv -f LATIN1 -t UTF-8."
    if isinstance(error, TypeError) and "unexpected keyword argument" in str(error):
        return f"{error}. Nothing takes this key: look for it in the configuration, in -o and in --predictor-args."
    if isinstance(error, TypeError) and WRONG_KIND.match(str(error)):
        return f"{error} Give another value: look for this key in the configuration, in -o and in --predictor-args."
    if isinstance(error, RuntimeError) and str(error).startswith(GPU_ERRORS):
        return f"There is no GPU to use: {error}. Without one give --cuda-device -1, or trainer.cuda_device: -1 by -o."
    if isinstance(error, RuntimeError) and str(error).startswith(JSONNET_ERRORS):
        return f"The configuration (or -o, if no file is named here) is no valid Jsonnet: {str(error).strip()}"
    return None
