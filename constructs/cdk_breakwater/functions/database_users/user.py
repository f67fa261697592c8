"""A database user of one or more functions' own, made at deployment, whose connections the server limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from aws_cdk import Stack, Tokenization
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from ..._cdk.lazy import lazy_number
from ..._cdk.nag import acknowledge, compliance_rules
from ..._cdk.secret_access import grant_secret_read
from ...budgets.budget import ConnectionBudget
from ...downstreams.credentials import DatabaseCredentials
from ...downstreams.downstream import Downstream
from ...errors import BreakwaterError
from .administration import DatabaseAdministration
from .grants import check_user_name, parse_grants

if TYPE_CHECKING:
    from collections.abc import Sequence

    from aws_cdk import aws_lambda as lambda_

    from ...budgets.share import ConnectionShare
    from ...downstreams.credentials import OwnLogin
    from ...downstreams.database_types import RdsCluster
    from ...downstreams.rds import RdsDownstream
    from .placement import FunctionPlacement

_USERS: dict[tuple[ConnectionBudget, str], DatabaseUser] = {}
# As RDS does it: characters that mean something in URLs and shells are left out.
_PASSWORD_CHARACTERS = 30
_EXCLUDED_CHARACTERS = " %+~`#$&*()|[]{}:;<>?!'/@\"\\"


class DatabaseUser(Construct):
    """A user, its secret unless it logs in by IAM, and what a deployment does to make it so.

    Not made directly: see `DatabaseCredentials.user` and `DatabaseCredentials.iam`.

    Attributes
    ----------
    secret : secretsmanager.ISecret or None
        The secret, in the format of RDS; None for an IAM login.
    resource : CustomResource
        What makes the user: depend on it to come after.
    """

    def __init__(self, administration: DatabaseAdministration, login: OwnLogin, placement: FunctionPlacement) -> None:
        # The name is part of every logical id: another name is another user with another secret, made before the old
        # ones are deleted, and deleted again by a rollback. A secret that is changed in place gets a new password.
        super().__init__(administration, f"User-{login.name}")
        downstream = administration.downstream
        self.login = login
        self._shares: list[ConnectionShare] = []
        self._pools: set[ConnectionBudget] = set()
        self.secret = None if login.iam else self._make_secret(administration)
        properties: dict[str, Any] = {
            "User": login.name,
            "Grants": parse_grants(placement.path, downstream.engine, login.grants),
            "ConnectionLimit": lazy_number(self.connection_limit),
            # On another server it must be made anew.
            "Server": f"{downstream.host}:{Tokenization.stringify_number(downstream.port)}",
            **administration.database_property(placement),
        }
        if self.secret is not None:
            grant_secret_read(self.secret, cast("lambda_.IFunction", administration.function))
            properties["SecretArn"] = self.secret.secret_arn
        self.resource = administration.custom_resource(
            self, "Resource", "DatabaseUser", properties, login.removal_policy
        )

    @staticmethod
    def of(
        credentials: DatabaseCredentials, downstream: Downstream, share: ConnectionShare, placement: FunctionPlacement
    ) -> DatabaseUser:
        """Find the user that credentials stand for on a database, or make it.

        Parameters
        ----------
        credentials
            With a login of their own.
        downstream
            The database itself, not a proxy before it.
        share
            The function's part, of the database's budget or of a proxy's pool.
        placement
            The function's.

        Raises
        ------
        BreakwaterError
            When other credentials have made a user of that name on the database, when a grant or the name is not right,
            and as for `DatabaseAdministration.beside`.
        """
        login = cast("OwnLogin", credentials.own_login)
        check_user_name(placement.path, login.name)
        writer = _writer(downstream)
        key = (ConnectionBudget.of(writer), login.name)
        known = _USERS.get(key)
        if known is None:
            asked_by = f"the user {login.name!r} with grants"
            administration = DatabaseAdministration.beside(placement, writer, credentials, asked_by)
            known = _USERS[key] = DatabaseUser(administration, login, placement)
        elif known.login is not login:
            raise BreakwaterError(
                placement.path,
                f"the database {writer.construct.node.path} has a user {login.name!r} of {known._shares[0].name} "
                "already.",
                "Pass one DatabaseCredentials object to both functions to share the user, or take another name.",
            )
        known._shares.append(share)
        if share.budget is not ConnectionBudget.of(downstream):
            known._pools.add(share.budget)
        return known

    @property
    def credentials(self) -> DatabaseCredentials:
        """What a function logs in with."""
        if self.secret is not None:
            return DatabaseCredentials.secret(self.secret)
        return DatabaseCredentials.iam(self.login.name)

    def connection_limit(self) -> int:
        """Compute the connections that a server lets the user hold: its shares there, and what may overlap.

        During a deployment, old environments are frozen with their connections while new ones open theirs: at most as
        many again, and at most what the budget leaves over, so that no user can take what is another's share. An RDS
        Proxy may open its whole pool as this user. Writer and readers count apart, and have the limit in common.
        """
        shares: dict[ConnectionBudget, list[ConnectionShare]] = {}
        for share in self._shares:
            if share.budget not in self._pools:
                shares.setdefault(share.budget, []).append(share)
        try:
            pooled = sum(budget.max_connections for budget in self._pools)
            return pooled + max((_limit(*use) for use in shares.items()), default=0)
        except BreakwaterError:
            return 1  # a lazy value must not raise; the budget's validation fails the synth

    def _make_secret(self, administration: DatabaseAdministration) -> secretsmanager.ISecret:
        downstream = administration.downstream
        template: dict[str, Any] = {"username": self.login.name}
        database = getattr(downstream, "database", None)
        if database is None:
            template |= {"engine": downstream.engine.value, "host": downstream.host, "port": downstream.port}
            if downstream.database_name is not None:
                template["dbname"] = downstream.database_name
        secret = secretsmanager.Secret(
            self,
            "Secret",
            description=f"The login of {self.login.name} on {downstream.construct.node.path}",
            encryption_key=administration.secret.encryption_key,
            removal_policy=self.login.removal_policy,
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template=Stack.of(self).to_json_string(template),
                generate_string_key="password",
                password_length=_PASSWORD_CHARACTERS,
                exclude_characters=_EXCLUDED_CHARACTERS,
            ),
        )
        acknowledge(
            secret,
            "Encrypted with the key of the administrator's secret, else with AWS's own. Generated, and read by the "
            "functions alone; rotation is the app's choice, as it is for the administrator's secret.",
            "AwsSolutions-SMG4",
            *compliance_rules("SecretsManagerRotationEnabled", "SecretsManagerUsingKMSKey"),
        )
        # RDS adds engine, host, port and dbname, without a new password when they change.
        return cast("secretsmanager.ISecret", secret if database is None else secret.attach(database))


def _limit(budget: ConnectionBudget, shares: Sequence[ConnectionShare]) -> int:
    held = sum(share.resolve() * share.connections_per_environment for share in shares)
    return held + min(held, budget.usable_connections - budget.shared_connections)


def _writer(downstream: Downstream) -> Downstream:
    """Return where users are made: readers and replicas take them from there."""
    if downstream.is_readers:
        return Downstream.of(cast("RdsCluster", downstream.construct))
    if getattr(downstream, "is_replica", False):
        return Downstream.of(cast("RdsDownstream", downstream).source)
    return downstream
