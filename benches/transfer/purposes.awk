# What each thread of a recording spends its time on. Reads the text of `perf script`, writes one line
# for each thread and purpose: share of its program's samples, seconds, thread, purpose.
#
#   perf record -F 1999 -g -o perf.data -- BENCH --rounds 1
#   perf script -i perf.data -F comm,pid,tid,ip,sym --no-inline | awk -v hz=1999 -f purposes.awk
#
# A sample belongs to the innermost function that says what it is for: a kernel function by the system
# call above it, anything else by its own name. Threads below a hundredth of the samples are left out.

function purpose(leaf, stack) {
    if (leaf ~ /sha2::|sha256|Hasher/) return "SHA-256"
    if (leaf ~ /aes_gcm|gcm_|_gcm|aead_|aes_hw|skip_iv_len|le64|CRYPTO_memcmp|PacketKey|packet_crypto|chacha/) return "packet protection (AES-GCM)"
    if (leaf ~ /jent_|rol64|CRYPTO_|x25519|curve25519|ed25519|mlkem|sha512|MLKEM/) return "handshake and seeding"
    if (stack ~ /sendmsg|udp_send|sendmmsg/) return "UDP: sending"
    if (stack ~ /recvmmsg|recvmsg|udp_recv/) return "UDP: receiving"
    if (stack ~ /sys_pwrite|sys_write.*shmem|shmem_file_write|ext4_file_write|generic_perform_write/) return "file: writing"
    if (stack ~ /sys_pread|shmem_file_read|filemap_read|ext4_file_read/) return "file: reading"
    if (stack ~ /fallocate|fsync|seek_hole|lseek|sys_rename|sys_open|ftruncate/) return "file: claiming, syncing, naming"
    if (stack ~ /futex|eventfd|epoll|sched|finish_task_switch|poll_idle|switch_to|reschedule/) return "wake-ups and waiting"
    if (stack ~ /page_fault|clear_page|sys_munmap|sys_mmap|sys_brk|madvise|do_anonymous_page|zap_pte/) return "memory from the system"
    if (leaf ~ /memset|calloc/) return "filling with zeros"
    if (leaf ~ /memmove|memcpy|concat|Concat|into_contiguous/) return "copying in user space"
    if (leaf ~ /malloc|_int_free|cfree|realloc|unlink_chunk|_int_|tcache|__rust_alloc|__rdl_|raw_vec|shared_v_drop|bytes::|bytes_mut/) return "allocating, counting references"
    if (leaf ~ /mpsc|Mutex|Condvar|Semaphore|batch_semaphore|oneshot|Notify/) return "channels and locks"
    if (leaf ~ /quinn|rustls|udp::/) return "quinn: packets, streams, ACKs"
    if (leaf ~ /congestion|Bbr|Cubic/) return "congestion control"
    if (leaf ~ /tokio|futures|mio::/) return "tokio: tasks and timers"
    if (leaf ~ /swarmhold::swarm|swarmhold::chunk/) return "engine"
    if (leaf ~ /swarmhold::/) return "node"
    if (leaf ~ /clock_gettime|Instant/) return "reading the clock"
    if (leaf ~ /btree|hashbrown|BTree|HashMap|vec_deque|binary_heap|BinaryHeap|RawTable/) return "quinn: packets, streams, ACKs"
    if (stack ~ /entry_SYSCALL|do_syscall|asm_/) return "kernel, other"
    return "other"
}

function finish() {
    if (thread != "") {
        count[thread SUBSEP purpose(leaf, stack)]++
        of[thread]++
        if (show != "" && purpose(leaf, stack) == show) leaves[thread ": " leaf]++
        all++
    }
    thread = leaf = stack = ""
}

NF == 0 { finish(); next }
/^[^\t ].* [0-9]+\/[0-9]+ *$/ { finish(); thread = $NF " " $1; next }
{
    $1 = ""
    if (leaf == "") leaf = $0
    stack = stack $0
}
END {
    finish()
    for (key in count) {
        split(key, part, SUBSEP)
        if (of[part[1]] * 100 < all) continue
        printf "%-34s %6.3f s %5.1f %%  %s\n", part[1], count[key] / hz, 100 * count[key] / of[part[1]], part[2] | "sort -k1,2 -k3,3nr"
    }
    close("sort -k1,2 -k3,3nr")
    for (name in leaves) printf "%6d %s\n", leaves[name], name | "sort -nr | head -40"
}
