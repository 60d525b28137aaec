"""Files that are named by a URL."""

import logging
import os
import socket
from importlib.util import find_spec
from typing import Optional, Union
from urllib.parse import urlsplit

from elmo_plugin.quiet import quiet

logger = logging.getLogger(__name__)

PathLike = Union[str, os.PathLike]

_PORTS = {"http": 80, "https": 443}
# Seconds that a host has to answer in. AllenNLP, which asks again and again, would take half a minute for each file.
PATIENCE = 5.0


def local_path(path: PathLike) -> str:
    """
    A path as it is; of a URL the local copy. Where its host is out of reach, that is the copy of an earlier day.

    # Raises

    `ValueError` for a URL where AllenNLP, which fetches it, is missing or can't.
    """
    path = os.fspath(path)
    if "://" not in path:
        return path
    # What stands for AllenNLP where it is not installed (`as_allennlp_0_9.py`) does not fetch.
    if find_spec("allennlp") is None or not find_spec("allennlp").submodule_search_locations:
        raise ValueError(
            f"{path} is a URL, which only AllenNLP fetches, and that is not installed. Download it and give its path."
        )
    from allennlp.common import file_utils
    from cached_path import find_latest_cached

    try:
        _knock(path)
    except OSError as error:
        kept = find_latest_cached(path, file_utils.CACHE_DIRECTORY)
        if kept is None:
            raise _not_fetched(path, error) from error
        logger.warning("%s is out of reach (%s); the copy of it that is here is used.", path, error)
        return str(kept)
    logger.info("Fetching %s, unless the copy that is here is the newest.", path)
    try:
        # Each of several attempts would be warned of, with all of the URL.
        with quiet("urllib3", "cached_path", level=logging.CRITICAL):
            return str(file_utils.cached_path(path))
    except (OSError, ValueError) as error:
        raise _not_fetched(path, error) from error


def present_path(path: PathLike) -> str:
    """
    `local_path` of a file that a configuration names, with what else AllenNLP's `cached_path` knows: `~`, and a file
    in an archive, `archive.tar.gz!file`.

    # Raises

    `FileNotFoundError`, and what `local_path` raises.
    """
    from allennlp.common.file_utils import cached_path

    return str(cached_path(local_path(path)))


def _knock(url: str) -> None:
    """
    Whether somebody answers at the host of a URL, or at the proxy to it.

    # Raises

    `OSError` where nobody does.
    """
    from requests.utils import get_environ_proxies, select_proxy

    if urlsplit(url).scheme not in _PORTS:
        return
    place = urlsplit(select_proxy(url, get_environ_proxies(url)) or url)
    port: Optional[int] = place.port or _PORTS.get(place.scheme)
    if port is not None:
        socket.create_connection((place.hostname, port), timeout=PATIENCE).close()


def _not_fetched(url: str, error: BaseException) -> ValueError:
    return ValueError(
        f"{url} could not be fetched ({_root_of(error)}). Give the paths of a biLM's files as `options_file` and "
        "`weight_file` (--options-file, --weight-file; or an --archive)."
    )


def _root_of(error: BaseException) -> BaseException:
    """What an error goes back to: the ones above it repeat its words, the URL and the names of their classes."""
    below = error.__cause__ or error.__context__
    return error if below is None else _root_of(below)
