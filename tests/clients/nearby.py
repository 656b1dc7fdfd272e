"""Lets names of the world stand for the server of a test: a private name resolution, as a hosts file in a namespace of
its own would be. What imports it stays as it is.

ROSTER_NAMES is the names with commas between them; ROSTER_ADDRESS is the host:port that they mean.
"""
import os
import socket

names = set(os.environ["ROSTER_NAMES"].split(","))
host, port = os.environ["ROSTER_ADDRESS"].rsplit(":", 1)
resolve = socket.getaddrinfo


def nearby(name, service, *args, **kwargs):
    if name in names:
        return [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", (host, int(port)))]
    raise socket.gaierror(socket.EAI_NONAME, f"{name} is not of this test")


socket.getaddrinfo = nearby
