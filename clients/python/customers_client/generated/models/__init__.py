"""Contains all the data models used in inputs/outputs"""

from .address import Address
from .address_type import AddressType
from .customer import Customer
from .customer_address import CustomerAddress
from .customer_change import CustomerChange
from .customer_change_page import CustomerChangePage
from .customer_creation import CustomerCreation
from .customer_creation_list import CustomerCreationList
from .customer_erasure import CustomerErasure
from .customer_export import CustomerExport
from .customer_export_search_keys import CustomerExportSearchKeys
from .customer_history import CustomerHistory
from .customer_list import CustomerList
from .customer_outcome import CustomerOutcome
from .customer_outcome_list import CustomerOutcomeList
from .customer_page import CustomerPage
from .customer_patch import CustomerPatch
from .customer_patch_item import CustomerPatchItem
from .customer_patch_list import CustomerPatchList
from .customer_reference import CustomerReference
from .customer_reference_list import CustomerReferenceList
from .customer_replacement import CustomerReplacement
from .customer_status import CustomerStatus
from .customer_version import CustomerVersion
from .customer_version_operation import CustomerVersionOperation
from .get_customers_sort import GetCustomersSort
from .get_customers_status import GetCustomersStatus
from .health import Health
from .health_database import HealthDatabase
from .input_error import InputError
from .metadata import Metadata
from .metadata_patch import MetadataPatch
from .open_api_document import OpenAPIDocument
from .open_api_document_info import OpenAPIDocumentInfo
from .open_api_document_paths import OpenAPIDocumentPaths
from .partial_customer import PartialCustomer
from .problem import Problem
from .problem_outcome import ProblemOutcome
from .put_customer_by_external_id_if_none_match import PutCustomerByExternalIdIfNoneMatch

__all__ = (
    "Address",
    "AddressType",
    "Customer",
    "CustomerAddress",
    "CustomerChange",
    "CustomerChangePage",
    "CustomerCreation",
    "CustomerCreationList",
    "CustomerErasure",
    "CustomerExport",
    "CustomerExportSearchKeys",
    "CustomerHistory",
    "CustomerList",
    "CustomerOutcome",
    "CustomerOutcomeList",
    "CustomerPage",
    "CustomerPatch",
    "CustomerPatchItem",
    "CustomerPatchList",
    "CustomerReference",
    "CustomerReferenceList",
    "CustomerReplacement",
    "CustomerStatus",
    "CustomerVersion",
    "CustomerVersionOperation",
    "GetCustomersSort",
    "GetCustomersStatus",
    "Health",
    "HealthDatabase",
    "InputError",
    "Metadata",
    "MetadataPatch",
    "OpenAPIDocument",
    "OpenAPIDocumentInfo",
    "OpenAPIDocumentPaths",
    "PartialCustomer",
    "Problem",
    "ProblemOutcome",
    "PutCustomerByExternalIdIfNoneMatch",
)
