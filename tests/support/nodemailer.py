"""nodemailer from npm, in a folder of its own outside of the tree.

    problem = nodemailer.install(folder)       # "" or why not
    nodemailer.send(folder, {"port": ...}, {"from": ...}) -> {"ok": ..., ...}
"""
import json
import shutil
import subprocess

SCRIPT = """
const nodemailer = require('nodemailer');
const [transport, mail] = JSON.parse(require('fs').readFileSync(0));
nodemailer.createTransport(transport).sendMail(mail)
  .then(done => console.log(JSON.stringify({ok: true, response: done.response, accepted: done.accepted, rejected: done.rejected})))
  .catch(error => console.log(JSON.stringify({ok: false, code: error.responseCode, response: error.response, text: error.message})));
"""


def install(folder):
    if not shutil.which("node") or not shutil.which("npm"):
        return "node and npm are not installed"
    done = subprocess.run(["npm", "install", "--no-audit", "--no-fund", "--silent", "--prefix", folder, "nodemailer@6"],
                          capture_output=True, text=True, timeout=300)
    return "" if done.returncode == 0 else "npm could not install nodemailer: " + done.stderr[-300:]


def send(folder, transport, mail):
    done = subprocess.run(["node", "-e", SCRIPT], input=json.dumps([transport, mail]), capture_output=True, text=True, timeout=120, cwd=folder)
    if not done.stdout:
        raise AssertionError(done.stderr)
    return json.loads(done.stdout)
