// Reading comprehension, English: SQuAD 1.1 (Rajpurkar et al. 2016, CC BY-SA 4.0).
//
//   DATA=qa BILM=elmo STORE=store allennlp elmo-results training_configs/results/squad.jsonnet --runs OUT \
//     --page docs/results.md
//
// DATA is a folder with train.json and dev.json; `benchmarks/sample_questions.py` makes samples of them. BILM is a folder
// that elmo-export wrote, STORE one with its vectors of these texts, so that they are computed once and not in each epoch
// of each training (docs/results.md has the commands); what it lacks is computed.
local data = std.extVar('DATA');
local overrides = {
  train_data_path: data + '/train.json',
  validation_data_path: data + '/dev.json',
  'data_loader.batch_sampler.batch_size': 32,
  'trainer.num_epochs': 4,
};
local with_elmo = overrides + (import 'lib/stored_elmo.libsonnet');
{
  task: 'Reading comprehension, English',
  data: 'SQuAD 1.1',
  metrics: [
    { key: 'best_validation_f1', title: 'F1', scale: 100 },
    { key: 'best_validation_em', title: 'exact match', scale: 100 },
  ],
  arms: [
    { name: 'baseline', config: 'training_configs/squad_baseline.jsonnet', overrides: overrides },
    { name: '+ ELMo', config: 'training_configs/squad_with_elmo.jsonnet', overrides: with_elmo },
  ],
  seeds: [1, 2, 3],
}
