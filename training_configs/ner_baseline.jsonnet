// Names of people, places and organisations. ner_with_elmo.jsonnet and ner_baseline.jsonnet differ in `elmo` alone.
//
//   allennlp train training_configs/ner_with_elmo.jsonnet -s OUT
//
// On your own files (any CoNLL columns, any of the tag schemes), and with your own biLM:
//
//   -o '{"train_data_path": "my/train.conll", "validation_data_path": "my/dev.conll",
//        "test_data_path": "my/test.conll",
//        "dataset_reader.word_column": 0, "dataset_reader.tag_column": -1,
//        "model.text_field_embedder.token_embedders.elmo.options_file": "my/options.json",
//        "model.text_field_embedder.token_embedders.elmo.weight_file": "my/weights.hdf5"}'
//
// or in a copy of this file, where every knob of lib/tagger.libsonnet can be set too.
(import 'lib/tagger.libsonnet') + {
  train_data:: 'fixtures/tagged/train.conll',
  dev_data:: 'fixtures/tagged/dev.conll',
  test_data:: 'fixtures/tagged/test.conll',
  elmo:: null,
}
