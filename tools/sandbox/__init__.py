"""Larkspur Cloud: a made-up company with billing, provisioning and the rest, to develop and to judge against.

Import `sandbox_tools` from `tools.sandbox.toolset`.
"""
