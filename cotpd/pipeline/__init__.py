"""Code that steps and commands share: where the pipeline's tables lie, and what is built from several of them."""
