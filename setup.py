"""
What elmo_plugin needs, told truthfully.

AllenNLP 2.10.1 is the last AllenNLP, and its own metadata still asks for torch<1.13, spaCy<3.4,
transformers<4.21 and more of that age.  The versions below are those it was seen to work with, so
the two cannot be resolved together: install from the lock, which `make install` does,

    pip install --no-deps -r requirements.txt -e .

or with uv from this folder, where pyproject.toml overrides AllenNLP's old pins.

An upper bound or an excluded version stands only where that version was seen to break.
"""

from glob import glob

from setuptools import Extension, find_packages, setup

INSTALL_REQUIRES = [
    "allennlp==2.10.1",
    # Below 2.11 nothing was tried.  2.13 has a CPU-only build that pip pairs with a CUDA build of
    # torchvision, which then fails at import: "operator torchvision::nms does not exist".
    "torch>=2.11,!=2.13.*",
    # AllenNLP imports it at start.
    "torchvision>=0.26",
    # AllenNLP's training/optimizers.py names transformers.AdamW, which is gone from 4.50 on.
    "transformers>=4.48,<4.50",
    # Older builds of spaCy do not load with NumPy 2.
    "spacy>=3.8",
    # AllenNLP pins older versions of these two, which do not install beside today's torch and
    # huggingface_hub.
    "fairscale>=0.4.13",
    "cached-path>=1.6.3",
    "numpy>=1.26",
    "h5py>=3.10",
    "jsonnet>=0.20",
]

EXTRAS_REQUIRE = {
    # `allennlp find-lr` draws its curve with matplotlib without declaring it.
    "find-lr": ["matplotlib"],
    # `elmo-prepare`: reading .zst files; `elmo`: vectors as Parquet files.
    "corpus": ["pyarrow>=15", "zstandard>=0.20"],
    # `elmo-prepare`: words of Chinese text.
    "zh": ["jieba>=0.42"],
    # `elmo-prepare --engine ray`: the preparation on several machines.
    "ray": ["ray>=2.60"],
    "test": ["pytest>=8"],
}

# Two programs in C: what elmo_plugin/bilm/ops/compiled_program.py and elmo_plugin/corpus/compiled_words.py
# load, the first compiled once for each kind of processor.  They are no modules of Python, and lie
# in folders that are no packages, so that nobody tries to import them.  Where one can't be compiled
# (no compiler; for the first, no processor of x86) the package is installed without it, and torch's
# own products, or plain Python, are used, which take longer.
PROCESSORS = {
    "avx512": ["-mavx512f", "-mavx512bw", "-mavx512dq", "-mavx512vl", "-mfma", "-mf16c"],
    "avx2": ["-mavx2", "-mfma", "-mf16c"],
}
PROGRAMS = [
    *(
        Extension(
            f"elmo_plugin.bilm.ops.compiled.program_{name}",
            sources=sorted(glob("elmo_plugin/bilm/ops/compiled/*.c")),
            depends=glob("elmo_plugin/bilm/ops/compiled/*.h"),
            extra_compile_args=["-O3", "-fopenmp", *flags],
            extra_link_args=["-fopenmp"],
            optional=True,
        )
        for name, flags in PROCESSORS.items()
    ),
    Extension(
        "elmo_plugin.corpus.compiled.words",
        sources=sorted(glob("elmo_plugin/corpus/compiled/*.c")),
        depends=glob("elmo_plugin/corpus/compiled/*.h"),
        extra_compile_args=["-O3"],
        optional=True,
    ),
]

setup(
    name="elmo-plugin",
    version="0.1.0",
    description="ELMo for AllenNLP on today's torch: pretrain, export, adapt and use it",
    packages=find_packages(include=["elmo_plugin", "elmo_plugin.*"]),
    package_data={"elmo_plugin": ["**/*.txt", "**/*.json"]},
    ext_modules=PROGRAMS,
    python_requires=">=3.10",
    install_requires=INSTALL_REQUIRES,
    extras_require=EXTRAS_REQUIRE,
    entry_points={"console_scripts": ["allennlp-elmo = elmo_plugin.__main__:main"]},
    classifiers=[
        "Programming Language :: Python :: 3.10",
        "Programming Language :: Python :: 3.11",
        "Programming Language :: Python :: 3.12",
        "Programming Language :: Python :: 3.13",
    ],
)
