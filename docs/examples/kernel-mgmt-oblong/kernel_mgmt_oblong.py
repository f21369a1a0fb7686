"""Python kernels that show numbers rounded, or with every digit."""

from kernel_mgmt import NoSuchKernelError
from kernel_mgmt.abc import KernelProviderBase
from kernel_mgmt_subprocess import SubprocessKernelLauncher

PRECISION = {"rounded": "%.2f", "sharp": "%.17g"}


class OblongKernelProvider(KernelProviderBase):
    """Offers ``oblong/rounded`` and ``oblong/sharp``."""

    id = "oblong"

    def find_kernels(self):
        for name in PRECISION:
            yield name, self.get_kernel(name)

    def get_kernel(self, name):
        if name not in PRECISION:
            raise NoSuchKernelError(name, PRECISION)
        precision = f"--PlainTextFormatter.float_precision={PRECISION[name]}"
        return {
            "display_name": f"Oblong ({name})",
            "language": "python",
            "argv": ["python", "-m", "ipykernel_launcher", "-f", "{connection_file}", precision],
        }

    async def launch(self, name, cwd=None, launch_params=None, *, options=None):
        argv = self.get_kernel(name)["argv"]
        launcher = SubprocessKernelLauncher(argv, cwd, options=options, kernel_name=name)
        return await launcher.launch()
