"""
Models of other systems as models of this one.

`sources.py` tells what a path holds and reads it with one of three readers: `bilm_hdf5`, `bilm_tf` (TensorFlow's
checkpoints, through `checkpoint`, `sstable`, `protos` and `crc32c`) and `elmoformanylangs`. All give an `ImportedBilm`.
"""
