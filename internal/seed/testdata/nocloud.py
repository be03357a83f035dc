# What the cloud-init that is installed here makes of a seed: its own data source NoCloud finds the label and
# reads the files. Only the mounting is ours, because a kernel may have no iso9660: the files lie in argv[1].
import json
import sys
import tempfile

from cloudinit import helpers, util
from cloudinit.sources import DataSourceNoCloud as nocloud

seed, label = sys.argv[1], sys.argv[2]


def find_devs_with(criteria=None, **_):
    if criteria in ("LABEL=" + label, "TYPE=iso9660"):
        return ["/dev/vdb"]
    return []


def mount_cb(device, callback, data=None, **_):
    return callback(seed, data) if data is not None else callback(seed)


util.find_devs_with, util.mount_cb = find_devs_with, mount_cb
nocloud.util.find_devs_with, nocloud.util.mount_cb = find_devs_with, mount_cb
root = tempfile.mkdtemp()
paths = helpers.Paths({"cloud_dir": root, "run_dir": root})
source = nocloud.DataSourceNoCloud({"datasource": {"NoCloud": {"fs_label": label}}}, None, paths)
source.get_data()
userdata = source.get_userdata_raw()
host = source.get_hostname()
print(json.dumps({
    "instance": source.get_instance_id(),
    "host": getattr(host, "hostname", host),
    "keys": source.get_public_ssh_keys(),
    "user": userdata.decode() if isinstance(userdata, bytes) else userdata,
    "network": source.network_config,
}))
