#!/bin/bash
# A virtual machine: QEMU with a Debian kernel; virtiofsd shares a directory of the mount, the guest mounts it, reads what
# the host wrote and writes what the host then reads. The guest's disk image lies on the mount too, opened without the host's
# page cache.
# timeout: 240
source "$E2E_LIB"
VIRTIOFSD=/usr/lib/qemu/virtiofsd
MODULES="virtio_ring virtio virtio_pci_modern_dev virtio_pci_legacy_dev virtio_pci virtio_blk fuse virtiofs"
kernel_package=$(echo /var/cache/gabion/kernel/linux-image-*.deb)
[[ -e $kernel_package ]] || fail "no kernel for the guest; run scripts/bootstrap"
[[ -x $VIRTIOFSD ]] || fail "$VIRTIOFSD is missing; run scripts/bootstrap"

step "the guest's kernel and initial file system"
dpkg -x "$kernel_package" kernel
kernel=$(echo kernel/boot/vmlinuz-*)
mkdir -p guest/{bin,mod,proc,sys,dev,mnt}
cp /bin/busybox guest/bin/busybox
for applet in $(/bin/busybox --list | grep -vx busybox); do ln -sf busybox "guest/bin/$applet"; done
for module in $MODULES; do
    file=$(find kernel/lib/modules -name "$module.ko" | head -n 1)
    [[ -z $file ]] || cp "$file" guest/mod/   # some are built into newer kernels
done
cat >guest/init <<INIT
#!/bin/sh
export PATH=/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
for module in $MODULES; do [ ! -e /mod/\$module.ko ] || insmod /mod/\$module.ko; done
if mount -t virtiofs myfs /mnt; then
    (set -e
     cd /mnt
     test "\$(cat host)" = "from the host"
     sha256sum <data >sum
     mkdir made
     for i in 1 2 3 4 5 6 7 8 9; do echo "line \$i" >>made/log; done
     ln -s log made/link
     ln made/log made/hard
     mv made/hard made/moved
     dd if=/dev/zero of=zeros bs=1M count=8 conv=fsync
     rm zeros
     tar -cf made/bin.tar -C / bin/busybox
     dd if=/dev/vda of=disk-begin bs=4096 count=1
     dd if=made/bin.tar of=/dev/vda bs=4096 seek=1 count=64 conv=fsync
     sync
     echo done >verdict) || echo failed >/mnt/verdict
fi
umount /mnt
poweroff -f
INIT
chmod +x guest/init
(cd guest && find . | cpio -o -H newc --quiet | gzip -1) >initrd.gz

step "boot it"
mkdir "$MOUNT/share"
echo "from the host" >"$MOUNT/share/host"
head -c 3000000 /dev/urandom >"$MOUNT/share/data"
head -c 64M /dev/urandom >"$MOUNT/disk.img"
"$VIRTIOFSD" --socket-path="$WORK/vfs.sock" -o source="$MOUNT/share" -o cache=none >virtiofsd.log 2>&1 &
wait_for 20 test -S vfs.sock
timeout 150 qemu-system-x86_64 -accel tcg -m 512 -smp 1 -nodefaults -no-user-config -nographic -no-reboot -serial stdio \
    -object memory-backend-memfd,id=mem,size=512M,share=on -machine q35,memory-backend=mem \
    -chardev socket,id=c0,path="$WORK/vfs.sock" -device vhost-user-fs-pci,chardev=c0,tag=myfs \
    -drive file="$MOUNT/disk.img",if=none,id=d0,format=raw,cache=none,aio=threads -device virtio-blk-pci,drive=d0 \
    -kernel "$kernel" -initrd initrd.gz -append "console=ttyS0 quiet panic=-1" </dev/null >console.log 2>&1 ||
    fail "qemu: $(tail -n 20 console.log)"

step "what the guest did"
expect_eq "$(cat "$MOUNT/share/verdict" 2>/dev/null)" "done" "the guest's verdict ($(tail -n 20 console.log virtiofsd.log))"
cmp "$MOUNT/share/sum" <(sha256sum <"$MOUNT/share/data")
expect_eq "$(wc -l <"$MOUNT/share/made/log")" 9 "lines that the guest wrote"
expect_eq "$(stat -c %h "$MOUNT/share/made/moved")" 2 "links"
cmp "$MOUNT/share/disk-begin" <(head -c 4096 "$MOUNT/disk.img")
cmp <(head -c 262144 "$MOUNT/share/made/bin.tar") <(tail -c +4097 "$MOUNT/disk.img" | head -c 262144)
tar -xOf "$MOUNT/share/made/bin.tar" bin/busybox | cmp - /bin/busybox
