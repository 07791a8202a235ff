from .create_customer import create_customer as create_customer
from .create_customers import create_customers as create_customers
from .delete_customer import delete_customer as delete_customer
from .delete_customer_by_external_id import (
    delete_customer_by_external_id as delete_customer_by_external_id,
)
from .delete_customers import delete_customers as delete_customers
from .erase_customer import erase_customer as erase_customer
from .export_customer import export_customer as export_customer
from .get_changes import get_changes as get_changes
from .get_customer import get_customer as get_customer
from .get_customer_by_external_id import get_customer_by_external_id as get_customer_by_external_id
from .get_customers import get_customers as get_customers
from .get_erasure import get_erasure as get_erasure
from .get_history import get_history as get_history
from .patch_customer import patch_customer as patch_customer
from .patch_customer_by_external_id import (
    patch_customer_by_external_id as patch_customer_by_external_id,
)
from .patch_customers import patch_customers as patch_customers
from .put_customer_by_external_id import put_customer_by_external_id as put_customer_by_external_id
from .replace_customer import replace_customer as replace_customer
from .restore_customer import restore_customer as restore_customer
