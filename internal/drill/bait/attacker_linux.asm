; The attacker that a drill puts in the hypervisor's place. This file is the whole of it: a program
; that makes the system calls it is ordered to make, one after the other, and says what came of
; each. It holds no attack, knows no path and takes orders from nobody but the one who comes to the
; socket that the plan gives the hypervisor for its monitor; where there is none it ends. What it is
; ordered to try is in the tables of this package.
;
; It is this small for a reason: whatever it needed to run (a runtime, a heap, a clock) the filter
; of a hypervisor would have to allow. It needs poll, accept4, read and write, which every cell's has.
;
; How many arguments there are (argc) is the number of its descriptor. If the first begins with a
; plus sign that is connected already; else it listens.
;
;   nasm -f bin -Werror -o attacker_linux.amd64 attacker_linux.asm

bits 64
org 0

; Orders are 8 words: call, 6 arguments, how. Answers are 4 words: kind, value, 0, 0.
HOW_SYSCALL equ 0
HOW_I386    equ 1       ; through int 0x80, as a 32-bit program would
HOW_CRASH   equ 2       ; no call: an illegal instruction
HOW_LEAVE   equ 3       ; a syscall; in a new process or thread, end at once
HOW_STAY    equ 4       ; a syscall; in a new process or thread, sleep for ever
HELLO       equ 1
ANSWER      equ 2

file:
        db      0x7f, "ELF", 2, 1, 1, 0
        times 8 db 0
        dw      3, 62                           ; ET_DYN: its address is random; x86-64
        dd      1
        dq      start, headers - file, 0
        dd      0
        dw      64, 56, 2, 0, 0, 0
headers:
        dd      1, 5                            ; PT_LOAD, readable and executable
        dq      0, 0, 0, end - file, end - file, 0x1000
        dd      0x6474e551, 6                   ; PT_GNU_STACK, not executable
        dq      0, 0, 0, 0, 0, 16

start:
        mov     r14, rsp                        ; argc, argv, environment, auxiliary vector
        mov     r12d, [rsp]
        mov     rax, [rsp + 8]
        cmp     byte [rax], '+'
        je      .connected
        push    r12
        mov     byte [rsp + 4], 1               ; POLLIN: it may be a socket that does not wait
        mov     eax, 7                          ; poll
        mov     rdi, rsp
        mov     esi, 1
        mov     rdx, -1
        syscall
        mov     eax, 288                        ; accept4
        mov     edi, r12d
        xor     esi, esi
        xor     edx, edx
        xor     r10d, r10d
        syscall
        test    eax, eax
        js      leave_now
        mov     r12d, eax
.connected:
        sub     rsp, 256
        and     rsp, -16
        mov     r13, rsp
        mov     qword [r13], HELLO
        mov     [r13 + 8], r14
        lea     rax, [rel file]
        mov     [r13 + 16], rax
        mov     [r13 + 24], r12
        jmp     say

serve:
        xor     eax, eax                        ; read
        mov     edi, r12d
        mov     rsi, r13
        mov     edx, 64
        syscall
        cmp     rax, 64
        jne     leave_now
        mov     r15, [r13 + 56]
        cmp     r15, HOW_CRASH
        je      .crash
        cmp     r15, HOW_I386
        je      .i386
        mov     rax, [r13]
        mov     rdi, [r13 + 8]
        mov     rsi, [r13 + 16]
        mov     rdx, [r13 + 24]
        mov     r10, [r13 + 32]
        mov     r8, [r13 + 40]
        mov     r9, [r13 + 48]
        syscall
        test    rax, rax
        jnz     .answer
        cmp     r15, HOW_LEAVE
        je      leave_thread
        cmp     r15, HOW_STAY
        je      stay
        jmp     .answer
.i386:
        mov     eax, [r13]
        mov     ebx, [r13 + 8]
        mov     ecx, [r13 + 16]
        mov     edx, [r13 + 24]
        mov     esi, [r13 + 32]
        mov     edi, [r13 + 40]
        int     0x80
        movsxd  rax, eax
        jmp     .answer
.crash:
        ud2
.answer:
        mov     qword [r13], ANSWER
        mov     [r13 + 8], rax
        mov     qword [r13 + 16], 0
        mov     qword [r13 + 24], 0
say:
        mov     eax, 1                          ; write
        mov     edi, r12d
        mov     rsi, r13
        mov     edx, 32
        syscall
        cmp     rax, 32
        je      serve
leave_now:
        mov     eax, 231                        ; exit_group
        mov     edi, 77
        syscall
        ud2

; A new thread shares the stack of the old one, so nothing is kept in memory here.
leave_thread:
        mov     eax, 60                         ; exit
        xor     edi, edi
        syscall
        ud2
stay:
        mov     eax, 271                        ; ppoll, of nothing, for ever
        xor     edi, edi
        xor     esi, esi
        xor     edx, edx
        xor     r10d, r10d
        syscall
        jmp     stay

        db      "skep drill: an attacker for rehearsal; see skep(8)", 0
end:
