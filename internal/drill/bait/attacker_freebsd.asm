; The attacker that a drill puts in bhyve's place on FreeBSD. This file is the whole of it: a program
; that makes the system calls it is ordered to make, one after the other, and says what came of
; each. It holds no attack, knows no path and takes orders from nobody but whoever started it, on its
; standard input, where bhyve has /dev/null; where that is no socket with orders in it, it ends. What it
; is ordered to try is in the tables of this package.
;
; It is this small for a reason: it has to live within the limits of a hypervisor, and whatever it did
; by itself (threads, signals, memory) would be in the way of what it is ordered to do.
;
;   nasm -f bin -Werror -o attacker_freebsd.amd64 attacker_freebsd.asm

bits 64
org 0

; Orders are 8 words: call, 6 arguments, how. Answers are 4 words: kind, value, 0, 0. An error comes as
; its number below zero, as Linux has it; FreeBSD itself tells it by the carry flag.
HOW_CRASH   equ 2       ; no call: an illegal instruction
HOW_LEAVE   equ 3       ; a syscall; in a new process, end at once
HOW_STAY    equ 4       ; a syscall; in a new process, sleep for ever
HELLO       equ 1
ANSWER      equ 2

SYS_exit    equ 1
SYS_read    equ 3
SYS_write   equ 4
SYS_poll    equ 209

file:
        db      0x7f, "ELF", 2, 1, 1, 9         ; ELFOSABI_FREEBSD
        times 8 db 0
        dw      3, 62                           ; ET_DYN: its address is random; x86-64
        dd      1
        dq      start, headers - file, 0
        dd      0
        dw      64, 56, 3, 0, 0, 0
headers:
        dd      1, 5                            ; PT_LOAD, readable and executable
        dq      0, 0, 0, end - file, end - file, 0x1000
        dd      0x6474e551, 6                   ; PT_GNU_STACK, not executable
        dq      0, 0, 0, 0, 0, 16
        dd      4, 4                            ; PT_NOTE
        dq      note - file, note - file, note - file, 24, 24, 4
note:                                           ; without it the kernel is as lenient as with FreeBSD 1's
        dd      8, 4, 1                         ; NT_FREEBSD_ABI_TAG
        db      "FreeBSD", 0
        dd      1402000

; Where a new thread starts: no stack is needed. Tables know this place as stayAt.
        times 256 - ($ - $$) db 0x90
stay:
        mov     eax, SYS_poll                   ; of nothing, for ever
        xor     edi, edi
        xor     esi, esi
        mov     rdx, -1
        syscall
        jmp     stay

start:
        mov     r14, rdi                        ; argc, argv, environment, auxiliary vector
        sub     rsp, 256
        and     rsp, -16
        mov     r13, rsp
        mov     qword [r13], HELLO
        mov     [r13 + 8], r14
        lea     rax, [rel file]
        mov     [r13 + 16], rax
        mov     qword [r13 + 24], 0             ; the descriptor where orders come in
        jmp     say

serve:
        mov     eax, SYS_read
        xor     edi, edi
        mov     rsi, r13
        mov     edx, 64
        syscall
        jc      leave_now
        cmp     rax, 64
        jne     leave_now
        mov     r15, [r13 + 56]
        cmp     r15, HOW_CRASH
        je      .crash
        mov     rax, [r13]
        mov     rdi, [r13 + 8]
        mov     rsi, [r13 + 16]
        mov     rdx, [r13 + 24]
        mov     r10, [r13 + 32]
        mov     r8, [r13 + 40]
        mov     r9, [r13 + 48]
        syscall
        jnc     .done
        neg     rax
        jmp     .answer
.done:
        test    rax, rax
        jnz     .answer
        cmp     r15, HOW_LEAVE
        je      leave_now
        cmp     r15, HOW_STAY
        je      stay
        jmp     .answer
.crash:
        ud2
.answer:
        mov     qword [r13], ANSWER
        mov     [r13 + 8], rax
        mov     qword [r13 + 16], 0
        mov     qword [r13 + 24], 0
say:
        mov     eax, SYS_write
        xor     edi, edi
        mov     rsi, r13
        mov     edx, 32
        syscall
        jc      leave_now
        cmp     rax, 32
        je      serve
leave_now:
        mov     eax, SYS_exit
        mov     edi, 77
        syscall
        ud2

        db      "skep drill: an attacker for rehearsal; see skep(8)", 0
end:
