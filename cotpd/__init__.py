"""CoTPD: distil a large language model's reasoning into a small, text-only extraction model.

The method is Chen and Feng's *Chain-of-Thought Prompt Distillation* (arXiv 2306.14122). Nothing in this
package imports Prefect or DVC; the drivers live in ``flows/`` and ``steps/``.
"""

__version__ = "0.1.0"
