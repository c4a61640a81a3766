"""The Python end of tailmark: embedding backends served over JSON-RPC, and the tools that need torch.

Reading order: ``wire`` (the conversation), ``backend`` (what a backend is), ``kinds`` (which there are), then
one module per kind. Importing this package imports no model library.
"""

__version__ = "0.1.0"
