// Questions on Chinese passages, characters as words. cmrc_with_elmo.jsonnet and cmrc_baseline.jsonnet differ in `elmo`
// alone. (The biLM of the fixtures was trained on English; it is there for seeing that it runs.)
//
//   allennlp train training_configs/cmrc_with_elmo.jsonnet -s OUT
//
// On CMRC 2018 or DRCD, and with your own biLM, trained on what `allennlp elmo-prepare --language zh --segmenter
// characters` made:
//
//   -o '{"train_data_path": "my/train.json", "validation_data_path": "my/dev.json",
//        "data_loader.batch_sampler.batch_size": 32,
//        "model.text_field_embedder.token_embedders.elmo.options_file": "my/options.json",
//        "model.text_field_embedder.token_embedders.elmo.weight_file": "my/weights.hdf5"}'
//
// or in a copy of this file, where every knob of lib/reader.libsonnet can be set too. lib/reader_full.libsonnet has
// the sizes of the paper, for a GPU.
(import 'lib/reader.libsonnet') + {
  train_data:: 'fixtures/reading/chinese_train.json',
  dev_data:: 'fixtures/reading/chinese_dev.json',
  test_data:: null,
  elmo:: { options_file: 'fixtures/bilm/options.json', weight_file: 'fixtures/bilm/weights.hdf5' },
  language:: 'zh',
  tokenizer:: { type: 'elmo_chinese_characters' },
  // Of three bytes, and two marks; a number or a foreign word may be longer.
  max_characters:: 12,
  // Characters, not words: longer.
  max_answer_length:: 60,
}
