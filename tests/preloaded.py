"""What processes of tests import in any case, some of it late: once, before they are forked."""

# ruff: noqa: F401

import os

from flows.cli import QUIET

os.environ |= QUIET  # before Prefect and MLflow read it, as the command line does

import graphviz
import mlflow.pyfunc
import mlflow.store.model_registry.sqlalchemy_store
import mlflow.store.tracking.sqlalchemy_store
import pandera.backends.polars.builtin_checks
import prefect.concurrency.sync
import sklearn.feature_extraction.text
import sqlalchemy.dialects.sqlite
from numba.core.registry import cpu_target

import tests.flows.kill_anywhere
import tests.flows.kill_inside
import tests.flows.kill_registry

cpu_target.typing_context.refresh()  # as the first call of a compiled function does
cpu_target.target_context.refresh()
