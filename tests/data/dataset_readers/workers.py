"""What the workers of a data loader read together."""

from typing import Any, List

from allennlp.data import DatasetReader, Vocabulary
from allennlp.data.data_loaders import MultiProcessDataLoader


def metadata_of_workers(reader: DatasetReader, path: str, **settings: Any) -> List[Any]:
    """The metadata of all instances, in batches of four; `settings` are the loader's."""
    loader = MultiProcessDataLoader(reader, path, batch_size=4, **settings)
    loader.index_with(Vocabulary.from_instances(reader.read(path)))
    return [one for batch in loader for one in batch["metadata"]]
