"""A function's way to its database and to Secrets Manager, and the addresses of the subnets that it takes up."""

from __future__ import annotations

from typing import Any

import aws_cdk as cdk
import jsii
import pytest
from aws_cdk import aws_ec2 as ec2
from aws_cdk import aws_kms as kms
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_rds as rds
from aws_cdk import aws_secretsmanager as secretsmanager
from aws_cdk.assertions import Annotations, Match, Template

from cdk_breakwater import DatabaseCredentials, DatabaseEngine, Downstream, VpcDatabaseFunction
from tests.unit.databases import POSTGRESQL, imported_instance

ISOLATED = ec2.SubnetType.PRIVATE_ISOLATED


def vpc_of(stack: cdk.Stack, mask: int = 24, **options: Any) -> ec2.Vpc:
    """Make a VPC with isolated subnets alone, in two zones."""
    subnets = ec2.SubnetConfiguration(name="Isolated", subnet_type=ISOLATED, cidr_mask=mask)
    return ec2.Vpc(
        stack, "IsolatedVpc", **{"max_azs": 2, "nat_gateways": 0, "subnet_configuration": [subnets], **options}
    )


def database_in(vpc: ec2.Vpc, **options: Any) -> rds.DatabaseInstance:
    return rds.DatabaseInstance(
        cdk.Stack.of(vpc),
        "Db",
        engine=POSTGRESQL,
        vpc=vpc,
        vpc_subnets=ec2.SubnetSelection(subnet_type=ISOLATED),
        parameters={"max_connections": "112"},
        **options,
    )


class TestSecretsManagerEndpoint:
    @pytest.mark.parametrize("child_of_the_vpc", [True, False])
    def test_the_apps_own_is_used(self, stack: cdk.Stack, code: dict[str, Any], child_of_the_vpc: bool) -> None:
        vpc = vpc_of(stack)
        service = ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER
        if child_of_the_vpc:
            vpc.add_interface_endpoint("Mine", service=service, open=False)
        else:
            ec2.InterfaceVpcEndpoint(stack, "Mine", vpc=vpc, service=service, open=False)
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        template = Template.from_stack(stack)
        template.resource_count_is("AWS::EC2::VPCEndpoint", 1)
        template.has_resource_properties(
            "AWS::EC2::SecurityGroupIngress",
            {"FromPort": 443, "GroupId": {"Fn::GetAtt": [Match.string_like_regexp("Mine"), "GroupId"]}},
        )

    @pytest.mark.parametrize(("nat_gateways", "endpoints"), [(0, 1), (1, 0)])
    def test_a_dual_stack_vpc_leads_out_by_ipv6_alone_without_a_nat_gateway(
        self, stack: cdk.Stack, code: dict[str, Any], nat_gateways: int, endpoints: int
    ) -> None:
        kinds = {"Public": ec2.SubnetType.PUBLIC, "Private": ec2.SubnetType.PRIVATE_WITH_EGRESS, "Isolated": ISOLATED}
        vpc = ec2.Vpc(
            stack,
            "Vpc",
            max_azs=2,
            nat_gateways=nat_gateways,
            ip_protocol=ec2.IpProtocol.DUAL_STACK,
            subnet_configuration=[ec2.SubnetConfiguration(name=name, subnet_type=kinds[name]) for name in kinds],
        )
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        Template.from_stack(stack).resource_count_is("AWS::EC2::VPCEndpoint", endpoints)

    def test_an_l1_endpoint_is_used_and_the_user_told(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack)
        ec2.CfnVPCEndpoint(
            stack,
            "Mine",
            service_name="com.amazonaws.eu-central-1.secretsmanager",
            vpc_id=vpc.vpc_id,
            vpc_endpoint_type="Interface",
            private_dns_enabled=True,
            subnet_ids=[subnet.subnet_id for subnet in vpc.isolated_subnets],
        )
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        Template.from_stack(stack).resource_count_is("AWS::EC2::VPCEndpoint", 1)
        Annotations.from_stack(stack).has_info("/Stack/Mine", Match.string_like_regexp("must allow HTTPS from"))

    def test_others_do_not_help(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack)
        vpc.add_interface_endpoint("Kms", service=ec2.InterfaceVpcEndpointAwsService.KMS)
        other = ec2.Vpc(stack, "Other", max_azs=2, nat_gateways=0)
        other.add_interface_endpoint("Secrets", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER)
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        Template.from_stack(stack).resource_count_is("AWS::EC2::VPCEndpoint", 3)

    def test_one_that_comes_later_fails_the_synth(self, app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack)
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        vpc.add_interface_endpoint("Late", service=ec2.InterfaceVpcEndpointAwsService.SECRETS_MANAGER)
        with pytest.raises(RuntimeError, match=r"IsolatedVpc/Late is an endpoint .* as well.*before the first VpcData"):
            app.synth()

    def test_a_vpc_that_two_stacks_import_has_one(self, app: cdk.App, code: dict[str, Any]) -> None:
        secret = "arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf"
        for name in ("One", "Two"):
            stack = cdk.Stack(app, name, env=cdk.Environment(account="123456789012", region="eu-central-1"))
            vpc = ec2.Vpc.from_vpc_attributes(
                stack,
                "Vpc",
                vpc_id="vpc-12345678",
                availability_zones=["eu-central-1a", "eu-central-1b"],
                isolated_subnet_ids=["subnet-12345678", "subnet-87654321"],
            )
            endpoint = Downstream.endpoint(
                stack, "Db", host="db.example.net", engine=DatabaseEngine.MYSQL, max_connections=50,
                secret=secretsmanager.Secret.from_secret_complete_arn(stack, "Secret", secret),
            )  # fmt: skip
            VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=vpc, **code)
        counts = [
            len(Template.from_stack(app.node.find_child(name)).find_resources("AWS::EC2::VPCEndpoint"))
            for name in ("One", "Two")
        ]
        assert counts == [1, 0]
        Annotations.from_stack(app.node.find_child("One")).has_info(
            "*", Match.string_like_regexp("If the imported VPC has one, import the subnets as private ones")
        )

    def test_a_vpc_that_two_stages_import_takes_one(self, app: cdk.App, code: dict[str, Any]) -> None:
        def shop(stage: str, vpc_id: str) -> None:
            stack = cdk.Stack(cdk.Stage(app, stage), "Shop")
            vpc = ec2.Vpc.from_vpc_attributes(
                stack,
                "Vpc",
                vpc_id=vpc_id,
                availability_zones=["eu-central-1a", "eu-central-1b"],
                isolated_subnet_ids=["subnet-12345678", "subnet-87654321"],
            )
            secret = secretsmanager.Secret(stack, "Login")
            endpoint = Downstream.endpoint(
                stack, "Db", host="db.example.net", engine=DatabaseEngine.MYSQL, max_connections=50, secret=secret
            )
            VpcDatabaseFunction(stack, "Orders", database=endpoint, vpc=vpc, **code)

        for stage in ("One", "Two"):
            shop(stage, "vpc-12345")  # what a look-up gives before the account was asked
        shop("Three", "vpc-33333333")
        app.synth()
        shop("Four", "vpc-33333333")
        with pytest.raises(RuntimeError, match=r"of another Stage .* in the same VPC vpc-33333333.*private_subnet_ids"):
            app.synth(force=True)


class TestSecret:
    def test_of_a_key_of_ones_own(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack)
        key = kms.Key(stack, "Key", enable_key_rotation=True)
        credentials = rds.Credentials.from_generated_secret("app", encryption_key=key)
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc, credentials=credentials), vpc=vpc, **code)
        Template.from_stack(stack).has_resource_properties(
            "AWS::KMS::Key",
            {
                "KeyPolicy": {
                    "Statement": Match.array_with(
                        [
                            Match.object_like(
                                {
                                    "Action": "kms:Decrypt",
                                    "Condition": {
                                        "StringEquals": {"kms:ViaService": "secretsmanager.eu-central-1.amazonaws.com"}
                                    },
                                    "Principal": {"AWS": {"Fn::GetAtt": [Match.string_like_regexp("^Orders"), "Arn"]}},
                                }
                            )
                        ]
                    )
                }
            },
        )

    def test_of_an_imported_key(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack)
        secret = secretsmanager.Secret.from_secret_attributes(
            stack,
            "Secret",
            secret_complete_arn="arn:aws:secretsmanager:eu-central-1:123456789012:secret:shop-AbCdEf",
            encryption_key=kms.Key.from_key_arn(stack, "Key", "arn:aws:kms:eu-central-1:123456789012:key/theirs"),
        )
        VpcDatabaseFunction(
            stack, "Orders", database=database_in(vpc), vpc=vpc, credentials=DatabaseCredentials.secret(secret), **code
        )
        Template.from_stack(stack).has_resource_properties(
            "AWS::IAM::Policy",
            {
                "PolicyDocument": {
                    "Statement": Match.array_with(
                        [
                            Match.object_like(
                                {
                                    "Action": "kms:Decrypt",
                                    "Resource": "arn:aws:kms:eu-central-1:123456789012:key/theirs",
                                }
                            )
                        ]
                    )
                }
            },
        )


def open_by(way: str, stack: cdk.Stack, database: rds.DatabaseInstance, worker: lambda_.Function) -> None:
    """Let a function in as apps do."""
    (group,), (source,) = database.connections.security_groups, worker.connections.security_groups
    if way == "default port":
        database.connections.allow_default_port_from(worker)
    elif way == "number":
        database.connections.allow_from(worker, ec2.Port.tcp(5432))
    elif way == "from the function":
        worker.connections.allow_to_default_port(database)
    elif way == "handle":
        handle = ec2.SecurityGroup.from_security_group_id(stack, "Handle", group.security_group_id)
        handle.connections.allow_from(worker, ec2.Port.tcp(5432))
    elif way == "L1":
        ec2.CfnSecurityGroupIngress(
            stack,
            "Ingress",
            group_id=group.security_group_id,
            source_security_group_id=source.security_group_id,
            ip_protocol="tcp",
            from_port=5432,
            to_port=5432,
        )
    else:
        resource: Any = group.node.default_child
        rule = {"IpProtocol": "tcp", "FromPort": 5432, "ToPort": 5432}
        rule["SourceSecurityGroupId"] = stack.resolve(source.security_group_id)
        resource.add_property_override("SecurityGroupIngress", [rule])


class TestSecurityGroups:
    def imported(self, stack: cdk.Stack, *groups: ec2.ISecurityGroup) -> rds.IDatabaseInstance:
        return imported_instance(stack, instance_resource_id="db-ABCDEFGHIJKL01234", security_groups=list(groups))

    def orders(self, stack: cdk.Stack, vpc: ec2.Vpc, database: Any, code: dict[str, Any], **options: Any) -> None:
        VpcDatabaseFunction(
            stack, "Orders", database=database, vpc=vpc, credentials=DatabaseCredentials.iam("app"), **options, **code
        )

    def budget(self, database: Any) -> None:
        from cdk_breakwater import ConnectionBudget

        ConnectionBudget.of(database, max_connections=112)

    @pytest.mark.parametrize("mutable", [True, False])
    def test_an_imported_one_that_may_not_be_changed(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any], mutable: bool
    ) -> None:
        group = ec2.SecurityGroup.from_security_group_id(stack, "Group", "sg-12345678", mutable=mutable)
        database = self.imported(stack, group)
        self.budget(database)
        self.orders(stack, vpc, database, code)
        Template.from_stack(stack).resource_count_is("AWS::EC2::SecurityGroupIngress", int(mutable))
        annotations = Annotations.from_stack(stack)
        message = Match.string_like_regexp(
            "the security group Stack/Group of Stack/Imported cannot be changed here: it must let port 5432 in from "
            "Stack/Orders/SecurityGroup, or be imported with mutable=True"
        )
        if mutable:
            annotations.has_no_warning("/Stack/Orders", message)
        else:
            annotations.has_warning("/Stack/Orders", message)

    def test_functions_with_a_group_in_common_are_let_in_once(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        group = ec2.SecurityGroup(stack, "Functions", vpc=vpc)
        for name in ("Orders", "Reports"):
            VpcDatabaseFunction(stack, name, database=database, vpc=vpc, security_groups=[group], **code)
        Template.from_stack(stack).resource_count_is("AWS::EC2::SecurityGroupIngress", 1)
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("cannot be changed"))

    @pytest.mark.parametrize("ours_first", [True, False])
    @pytest.mark.parametrize("closed", [True, False])
    @pytest.mark.parametrize("way", ["default port", "number", "from the function", "handle", "L1", "inline L1"])
    def test_the_rules_of_the_app_stay_and_ours_go(
        self,
        stack: cdk.Stack,
        vpc: ec2.Vpc,
        code: dict[str, Any],
        way: str,
        closed: bool,
        ours_first: bool,
    ) -> None:
        """Whichever came first: the app's rule may be deployed already, and EC2 takes no second one beside it."""

        def synthesized(*, with_ours: bool) -> dict[str, Any]:
            own = cdk.Stack(cdk.App(), "Own", env=cdk.Environment(account="123456789012", region="eu-central-1"))
            network = ec2.Vpc(own, "Vpc", max_azs=2, nat_gateways=1)
            database = rds.DatabaseInstance(
                own, "Db", engine=POSTGRESQL, vpc=network, storage_encrypted=True, parameters={"max_connections": "112"}
            )
            worker = lambda_.Function(own, "Worker", vpc=network, allow_all_outbound=not closed, **code)
            if with_ours and ours_first:
                Downstream.of(database).connect(worker)
            open_by(way, own, database, worker)
            if with_ours and not ours_first:
                Downstream.of(database).connect(worker)
            template = Template.from_stack(own)
            rules = {
                id_: resource["Properties"]
                for type_ in ("AWS::EC2::SecurityGroupIngress", "AWS::EC2::SecurityGroupEgress")
                for id_, resource in template.find_resources(type_).items()
            }
            # changed in place, see AWS::EC2::SecurityGroupIngress
            return {id_: {**properties, "Description": None} for id_, properties in rules.items()}

        found = synthesized(with_ours=True)
        expected = synthesized(with_ours=False)
        ways_out = found.keys() - expected.keys()
        assert {id_: rule for id_, rule in found.items() if id_ not in ways_out} == expected
        # an L1 lets in and not out
        assert len(ways_out) == (1 if closed and "L1" in way else 0)

    def test_rules_of_other_ports_and_groups_are_no_reason_to_go(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        function = VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, **code)
        other = rds.DatabaseInstance(
            stack, "Other", engine=POSTGRESQL, vpc=vpc, security_groups=database.connections.security_groups
        )
        database.connections.allow_from(function, ec2.Port.tcp(9999))
        other.connections.allow_default_port_from(function)
        database.connections.allow_default_port_from(ec2.SecurityGroup(stack, "Else", vpc=vpc))
        Template.from_stack(stack).resource_count_is("AWS::EC2::SecurityGroupIngress", 4)

    def test_a_closed_group_that_may_not_be_changed(
        self, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        """A function is told what its group lacks, unless another one makes up for it, or it can be changed here."""
        closed, mutable = (
            ec2.SecurityGroup.from_security_group_id(
                stack, name, f"sg-1234567{mutable:d}", mutable=mutable, allow_all_outbound=False
            )
            for name, mutable in (("Closed", False), ("Mutable", True))
        )
        outside = Downstream.endpoint(
            stack, "Atlas", host="c0.example.net", engine=DatabaseEngine.MONGODB, atlas_tier="M10",
            secret=secretsmanager.Secret(stack, "Secret"),
        )  # fmt: skip
        cases: list[tuple[str, list[ec2.ISecurityGroup], Any, str | None]] = [
            ("Beside", [closed], database, "port 5432 out to Stack/Database and HTTPS to Secrets Manager, or be"),
            ("Outside", [closed], outside, "port 27017 out to Stack/Atlas and HTTPS to Secrets Manager, or be"),
            ("ByIam", [closed], database, "port 5432 out to Stack/Database, or be"),
            ("Both", [closed, ec2.SecurityGroup(stack, "Open", vpc=vpc)], database, None),
            ("Changed", [mutable], database, None),
        ]
        for name, groups, server, _ in cases:
            login = DatabaseCredentials.iam("app") if name == "ByIam" else None
            VpcDatabaseFunction(
                stack, name, database=server, vpc=vpc, security_groups=groups, concurrency=2, credentials=login, **code
            )
        annotations = Annotations.from_stack(stack)
        for name, _, _, lacks in cases:
            where, said = f"/Stack/{name}", "its security group Stack/Closed cannot be changed here: it must let "
            if lacks:
                annotations.has_warning(where, Match.string_like_regexp(said + lacks))
            else:
                annotations.has_no_warning(where, Match.string_like_regexp("cannot be changed"))
        rules = Template.from_stack(stack).find_resources("AWS::EC2::SecurityGroupEgress").values()
        ports = {rule["Properties"]["FromPort"] for rule in rules if rule["Properties"]["GroupId"] == "sg-12345671"}
        assert ports == {443, 5432}

    def test_functions_with_several_groups(
        self, app: cdk.App, stack: cdk.Stack, vpc: ec2.Vpc, database: rds.DatabaseInstance, code: dict[str, Any]
    ) -> None:
        groups = [ec2.SecurityGroup(stack, name, vpc=vpc) for name in ("One", "Two")]
        VpcDatabaseFunction(stack, "Orders", database=database, vpc=vpc, security_groups=groups, **code)
        app.synth()
        Template.from_stack(stack).resource_count_is("AWS::EC2::SecurityGroupIngress", 2)

    def test_a_database_without_one_leaves_the_way_out_open(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
    ) -> None:
        database = self.imported(stack)
        self.budget(database)
        self.orders(stack, vpc, database, code)
        template = Template.from_stack(stack)
        template.has_resource_properties(
            "AWS::EC2::SecurityGroup",
            {
                "SecurityGroupEgress": Match.array_with(
                    [Match.object_like({"CidrIp": "0.0.0.0/0", "FromPort": 5432, "ToPort": 5432})]
                )
            },
        )
        Annotations.from_stack(stack).has_info(
            "/Stack/Orders",
            Match.string_like_regexp("Stack/Imported has no security group in this app.*port 5432 in from"),
        )

    def test_an_endpoint_outside_of_aws_is_reached_at_its_port(
        self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]
    ) -> None:
        secret = secretsmanager.Secret(stack, "Secret")
        atlas = Downstream.endpoint(
            stack, "Atlas", host="c0.example.net", engine=DatabaseEngine.MONGODB, atlas_tier="M10", secret=secret
        )
        VpcDatabaseFunction(stack, "Orders", database=atlas, vpc=vpc, concurrency=20, **code)
        ((_, group),) = Template.from_stack(stack).find_resources("AWS::EC2::SecurityGroup").items()
        assert [rule["ToPort"] for rule in group["Properties"]["SecurityGroupEgress"]] == [443, 27017]


@jsii.implements(cdk.IStableAnyProducer)
class _Network:
    def produce(self) -> Any:
        return {"subnetIds": ["subnet-1"]}


class TestAddresses:
    MESSAGE = Match.string_like_regexp("has 11 addresses, AWS's 5 taken off, and at least")

    def test_a_28_runs_short(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack, 28)
        database = database_in(vpc)
        for number in range(10):
            VpcDatabaseFunction(stack, f"Fn{number}", database=database, vpc=vpc, concurrency=2, **code)
        Annotations.from_stack(stack).has_warning(
            "/Stack/IsolatedVpc/IsolatedSubnet1",
            Match.string_like_regexp(
                "10.0.0.0/28 has 11 addresses, AWS's 5 taken off, and at least 12 are needed: "
                ".*10 for sets of functions' security groups.*security_groups="
            ),
        )

    def test_with_a_group_in_common_it_is_enough(self, stack: cdk.Stack, vpc: ec2.Vpc, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack, 28)
        database = database_in(vpc)
        group = ec2.SecurityGroup(stack, "Functions", vpc=vpc)
        for number in range(10):
            VpcDatabaseFunction(
                stack, f"Fn{number}", database=database, vpc=vpc, concurrency=2, security_groups=[group], **code
            )
        Annotations.from_stack(stack).has_no_warning("*", self.MESSAGE)

    def test_one_less_is_enough(self, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack, 28)
        database = database_in(vpc)
        for number in range(9):
            VpcDatabaseFunction(stack, f"Fn{number}", database=database, vpc=vpc, concurrency=2, **code)
        Annotations.from_stack(stack).has_no_warning("*", self.MESSAGE)

    def test_functions_of_other_stacks_count(self, app: cdk.App, stack: cdk.Stack, code: dict[str, Any]) -> None:
        vpc = vpc_of(stack, 28)
        database = database_in(vpc)
        for name in ("One", "Two"):
            other = cdk.Stack(app, name, env=cdk.Environment(account="123456789012", region="eu-central-1"))
            for number in range(5):
                VpcDatabaseFunction(other, f"Fn{number}", database=database, vpc=vpc, concurrency=2, **code)
        Annotations.from_stack(stack).has_warning("/Stack/IsolatedVpc/IsolatedSubnet2", self.MESSAGE)

    def test_resources_of_every_make_are_passed_over(
        self, app: cdk.App, stack: cdk.Stack, code: dict[str, Any]
    ) -> None:
        vpc = vpc_of(stack, 28)
        VpcDatabaseFunction(stack, "Orders", database=database_in(vpc), vpc=vpc, **code)
        name = cdk.CfnParameter(stack, "SubnetGroup").value_as_string
        rds.CfnDBInstance(stack, "Theirs", db_instance_class="db.t4g.micro", db_subnet_group_name=name)
        networks: list[Any] = [None, cdk.Lazy.any(_Network()), {}]
        for number, network in enumerate(networks):
            lambda_.CfnFunction(
                stack,
                f"Bare{number}",
                code=lambda_.CfnFunction.CodeProperty(zip_file="pass"),
                role="arn:aws:iam::123456789012:role/theirs",
                vpc_config=network,
            )
        app.synth()
        Annotations.from_stack(stack).has_no_warning("*", self.MESSAGE)

    def test_unknown_blocks_say_nothing(self, app: cdk.App, code: dict[str, Any]) -> None:
        stack = cdk.Stack(app, "Stack", env=cdk.Environment(account="123456789012", region="eu-central-1"))
        vpcs = [
            ec2.Vpc.from_vpc_attributes(
                stack,
                "Imported",
                vpc_id="vpc-12345678",
                availability_zones=["eu-central-1a"],
                private_subnet_ids=["subnet-12345678"],
            ),
            ec2.Vpc(
                stack,
                "Ipam",
                max_azs=2,
                nat_gateways=1,
                ip_addresses=ec2.IpAddresses.aws_ipam_allocation(
                    ipv4_ipam_pool_id="ipam-pool-1", ipv4_netmask_length=24, default_subnet_ipv4_netmask_length=28
                ),
            ),
        ]
        for vpc in vpcs:
            database = Downstream.endpoint(
                stack,
                f"Db{vpc.node.id}",
                host=f"{vpc.node.id}.example.net",
                engine=DatabaseEngine.REDIS,
                max_connections=100,
            )
            for number in range(12):
                VpcDatabaseFunction(stack, f"{vpc.node.id}{number}", database=database, vpc=vpc, concurrency=1, **code)
        Annotations.from_stack(stack).has_no_warning("*", Match.string_like_regexp("addresses, AWS's 5"))
