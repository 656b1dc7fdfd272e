"""An SFTP server that lets one user in by a password: user "plain" by the method of that name, user "asked" only when he
answers the questions of the server. Its arguments are host, port, the folder that is its root and the password."""

import asyncio
import sys

import asyncssh

HOST, PORT, ROOT, PASSWORD = sys.argv[1], int(sys.argv[2]), sys.argv[3], sys.argv[4]


class Server(asyncssh.SSHServer):
    def begin_auth(self, username):
        self.user = username
        return True

    def password_auth_supported(self):
        return self.user == "plain"

    def validate_password(self, username, password):
        return username == "plain" and password == PASSWORD

    def kbdint_auth_supported(self):
        return self.user == "asked"

    def get_kbdint_challenge(self, username, lang, submethods):
        return "", "", "", [("Password: ", False)]

    def validate_kbdint_response(self, username, responses):
        return username == "asked" and list(responses) == [PASSWORD]


class Files(asyncssh.SFTPServer):
    def __init__(self, chan):
        super().__init__(chan, chroot=ROOT)


async def main():
    await asyncssh.create_server(Server, HOST, PORT, server_host_keys=[asyncssh.generate_private_key("ssh-ed25519")], sftp_factory=Files)
    await asyncio.Event().wait()


asyncio.run(main())
