// Reading comprehension, Chinese: from DRCD (traditional script, CC BY-SA 3.0) to the trial part of CMRC 2018
// (simplified, CC BY-SA 4.0).
//
//   DATA=qa BILM=elmo allennlp elmo-results training_configs/results/drcd_cmrc.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is a folder with the two sets in drcd/ and cmrc2018/, BILM one that elmo-export wrote, of a biLM of characters.
local data = std.extVar('DATA'), bilm = std.extVar('BILM'), store = std.extVar('STORE');
// As many as a CPU learns from in hours; null for all.
local questions = 3000;
local overrides = {
  train_data_path: data + '/drcd/*.json',
  validation_data_path: data + '/cmrc2018/cmrc2018_trial.json',
  'dataset_reader.max_instances': questions,
  'data_loader.batch_sampler.batch_size': 16,
};
local embedder = 'model.text_field_embedder.token_embedders.elmo.';
local with_elmo = overrides {
  [embedder + 'type']: 'elmo_precomputed',
  [embedder + 'store']: store,
  [embedder + 'options_file']: bilm + '/options.json',
  [embedder + 'weight_file']: bilm + '/weights.hdf5',
};
{
  task: 'Reading comprehension, Chinese',
  data: 'DRCD to the trial part of CMRC 2018' +
        (if questions == null then '' else ', trained on its first %d questions' % questions),
  metrics: [
    { key: 'best_validation_f1', title: 'F1', scale: 100 },
    { key: 'best_validation_em', title: 'exact match', scale: 100 },
    { key: 'best_validation_rouge_l', title: 'Rouge-L', scale: 100 },
  ],
  arms: [
    { name: 'baseline', config: 'training_configs/cmrc_baseline.jsonnet', overrides: overrides },
    { name: '+ ELMo', config: 'training_configs/cmrc_with_elmo.jsonnet', overrides: with_elmo },
    {
      name: '+ ELMo, at the output too',
      config: 'training_configs/cmrc_with_elmo.jsonnet',
      overrides: with_elmo { [embedder + 'num_output_representations']: 2 },
    },
  ],
  seeds: [1, 2, 3],
}
