"""Django REST framework with PyMySQL, under gunicorn.

https://www.django-rest-framework.org/tutorial/3-class-based-views/
"""

import uuid
from urllib.parse import urlsplit

import django
import pymysql
from django.conf import settings

from benchmarks.alternatives.shared import (
    AUDIENCE,
    DATABASE_URL,
    READ,
    WRITE,
    Unauthorized,
    created_at,
    new_id,
    now,
    text_of,
    verify,
)

pymysql.version_info = (2, 2, 1, "final", 0)  # of mysqlclient, which has no wheels
pymysql.install_as_MySQLdb()
url = urlsplit(DATABASE_URL)
settings.configure(
    ALLOWED_HOSTS=["127.0.0.1"],
    DATABASES={
        "default": {
            "ENGINE": "django.db.backends.mysql",
            "HOST": url.hostname,
            "PORT": url.port,
            "USER": url.username,
            "PASSWORD": url.password,
            "NAME": url.path[1:],
            "CONN_MAX_AGE": 600,
            "OPTIONS": {"charset": "utf8mb4"},
        }
    },
    INSTALLED_APPS=["rest_framework"],
    MIDDLEWARE=["django.middleware.common.CommonMiddleware"],
    ROOT_URLCONF=__name__,
    REST_FRAMEWORK={
        "DEFAULT_AUTHENTICATION_CLASSES": [f"{__name__}.Bearer"],
        "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
        "DEFAULT_PARSER_CLASSES": ["rest_framework.parsers.JSONParser"],
        "UNAUTHENTICATED_USER": None,
    },
    USE_TZ=False,
)


class Bearer:
    """Authenticates requests. Defined before `django.setup`, which reads the settings."""

    def authenticate(self, request):
        from rest_framework.exceptions import AuthenticationFailed

        try:
            scope = WRITE if request.method == "POST" else READ
            verify(request.headers.get("Authorization"), scope)
        except Unauthorized:
            raise AuthenticationFailed from None
        return AUDIENCE, None

    def authenticate_header(self, _request):
        return "Bearer"


django.setup()

from django.core.wsgi import get_wsgi_application  # noqa: E402
from django.db import IntegrityError, models  # noqa: E402
from django.urls import path  # noqa: E402
from rest_framework import generics, pagination, serializers  # noqa: E402
from rest_framework.exceptions import APIException  # noqa: E402

from benchmarks.alternatives.models import NAMES, TYPES, ZONES  # noqa: E402


class BinaryUUID(models.Field):
    """A UUID as bytes: https://docs.djangoproject.com/en/stable/howto/custom-model-fields/."""

    def db_type(self, connection):  # noqa: ARG002
        return "binary(16)"

    def from_db_value(self, value, _expression, _connection):
        return uuid.UUID(bytes=value)

    def get_prep_value(self, value):
        return value.bytes


class Customer(models.Model):
    id = BinaryUUID(primary_key=True, default=new_id)
    version = models.IntegerField(default=1)
    status = models.CharField(max_length=8, default="active")
    email = models.EmailField()
    phone = models.CharField(max_length=16, null=True)  # noqa: DJ001
    given_name = models.CharField(max_length=300, null=True)  # noqa: DJ001
    family_name = models.CharField(max_length=300, null=True)  # noqa: DJ001
    company_name = models.CharField(max_length=500, null=True)  # noqa: DJ001
    external_id = models.CharField(max_length=100, null=True)  # noqa: DJ001
    addresses = models.JSONField(default=list)
    locale = models.CharField(max_length=35, null=True)  # noqa: DJ001
    time_zone = models.CharField(max_length=64, null=True)  # noqa: DJ001
    metadata = models.JSONField(default=dict)
    updated_at = models.DateTimeField(default=now)
    deleted_at = models.DateTimeField(null=True)
    purge_at = models.DateTimeField(null=True)
    email_key = models.CharField(max_length=512)
    state = models.GeneratedField(
        expression=models.Value("live"),
        output_field=models.CharField(max_length=7),
        db_persist=True,
    )

    class Meta:
        app_label = "rest_framework"
        db_table = "customers"
        managed = False

    def __str__(self):
        return str(self.id)


class Time(serializers.DateTimeField):
    def to_representation(self, value):
        return text_of(value)


class Address(serializers.Serializer):
    type = serializers.ChoiceField(TYPES, default="other")
    line1 = serializers.CharField(max_length=200)
    line2 = serializers.CharField(max_length=200, allow_null=True, default=None)
    city = serializers.CharField(max_length=200, allow_null=True, default=None)
    region = serializers.CharField(max_length=200, allow_null=True, default=None)
    postal_code = serializers.CharField(max_length=200, allow_null=True, default=None)
    country = serializers.RegexField(r"^[A-Z]{2}$")


class CustomerSerializer(serializers.ModelSerializer):
    id = serializers.UUIDField(read_only=True)
    status = serializers.ChoiceField(["active", "inactive"], default="active")
    phone = serializers.RegexField(r"^\+[1-9][0-9]{1,14}$", allow_null=True, default=None)
    external_id = serializers.CharField(max_length=100, allow_null=True, default=None)
    addresses = Address(many=True, default=list, max_length=5)
    locale = serializers.RegexField(
        r"^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", max_length=35, allow_null=True, default=None
    )
    time_zone = serializers.ChoiceField(sorted(ZONES), allow_null=True, default=None)
    metadata = serializers.DictField(child=serializers.CharField(max_length=500), default=dict)
    created_at = serializers.SerializerMethodField()
    updated_at = Time(read_only=True)
    deleted_at = Time(read_only=True)
    purge_at = Time(read_only=True)

    class Meta:
        model = Customer
        fields = [
            *("id", "version", "status", "email", "phone", *NAMES, "external_id", "addresses"),
            *("locale", "time_zone", "metadata"),
            *("created_at", "updated_at", "deleted_at", "purge_at"),
        ]
        read_only_fields = ["version"]

    def get_created_at(self, customer):
        return text_of(created_at(customer.id))

    def validate(self, attrs):
        if not any(attrs.get(name) for name in NAMES):
            raise serializers.ValidationError("a name is required")
        return attrs

    def create(self, validated_data):
        key = validated_data["email"].lower()
        return Customer.objects.create(**validated_data, email_key=key)


class Conflict(APIException):
    status_code = 409


class Pages(pagination.CursorPagination):
    page_size, page_size_query_param, max_page_size, ordering = 20, "limit", 100, "-id"


class Customers(generics.ListCreateAPIView):
    queryset = Customer.objects.filter(state="live").defer("email_key", "state")
    serializer_class = CustomerSerializer
    pagination_class = Pages

    def perform_create(self, serializer):
        try:
            serializer.save()
        except IntegrityError:
            raise Conflict from None

    def get_success_headers(self, data):
        return {"Location": f"/customers/{data['id']}"}


class OneCustomer(generics.RetrieveAPIView):
    queryset = Customer.objects.filter(state="live").defer("email_key", "state")
    serializer_class = CustomerSerializer


urlpatterns = [
    path("customers", Customers.as_view()),
    path("customers/<uuid:pk>", OneCustomer.as_view()),
]
app = get_wsgi_application()
