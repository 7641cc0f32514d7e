"""Single-particle cryo-EM. `import verglas as vg` gives the verbs of `verglas.api`, loaded when first used."""

__version__ = "0.1.0"
