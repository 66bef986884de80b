"""The table of permissions is whole: no method without a row, no row without a method."""

import importlib
import pkgutil

import segserver.v1
from segserver.model import Role
from segserver.rpc.permissions import PERMISSIONS


def every_method():
    for module in pkgutil.iter_modules(segserver.v1.__path__):
        if module.name.endswith("_pb2"):
            descriptor = importlib.import_module(f"segserver.v1.{module.name}").DESCRIPTOR
            for service in descriptor.services_by_name.values():
                yield from (f"/{service.full_name}/{method.name}" for method in service.methods)


def test_every_method_has_a_row_and_every_row_a_method():
    assert set(PERMISSIONS) == set(every_method())


def test_every_row_names_a_role():
    assert all(roles and roles <= set(Role) for roles in PERMISSIONS.values())
