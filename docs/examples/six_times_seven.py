"""List the kernels of this machine, and multiply in one of them."""

from kernel_mgmt import KernelFinder, run_kernel_blocking

finder = KernelFinder.from_entrypoints()
names = [name for name, attributes in finder.find_kernels()]
print("kernel types:", *names)

name = "spec/python3" if "spec/python3" in names else "pyimport/kernel"
with run_kernel_blocking(name, finder=finder) as client:
    reply = client.execute("", user_expressions={"answer": "6 * 7"})
    print(name, "says", reply.content["user_expressions"]["answer"]["data"]["text/plain"])
